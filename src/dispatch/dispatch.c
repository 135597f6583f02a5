#include "dispatch/parts.h"

#include <stdlib.h>

struct dispatch *dispatch_new(struct queues *qs, struct registry *r, const struct dispatch_calls *calls)
{
	struct dispatch *d = NEW(struct dispatch);
	d->queues = qs;
	d->registry = r;
	d->calls = *calls;
	return d;
}

static void route_free(struct route *r)
{
	free(r->namespace);
	free(r->name);
	free(r->offers);
	free(r);
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	size_t at = 0;
	for (struct route *r; (r = idmap_next(&d->routes, &at));)
		for (struct route *next; r; r = next) {
			next = r->same_hash;
			route_free(r);
		}
	at = 0;
	for (struct call *c; (c = idmap_next(&d->live_calls, &at));) {
		buf_fini(&c->input);
		buf_fini(&c->traceparent);
		free(c);
	}
	for (struct work *w = d->free_works, *next; w; w = next) {
		next = w->next_free;
		buf_fini(&w->input);
		buf_fini(&w->checkpoint);
		buf_fini(&w->traceparent);
		free(w);
	}
	idmap_fini(&d->routes);
	idmap_fini(&d->by_queue);
	idmap_fini(&d->live_calls);
	heap_fini(&d->timers);
	heap_fini(&d->active);
	free(d);
}

/* ── routes ── */

static uint64_t hash(struct bytes a, struct bytes b) /* FNV-1a */
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t k = 0; k < a.size; k++)
		h = (h ^ (unsigned char)a.data[k]) * 0x100000001b3;
	h = (h ^ '/') * 0x100000001b3;
	for (size_t k = 0; k < b.size; k++)
		h = (h ^ (unsigned char)b.data[k]) * 0x100000001b3;
	return h ? h : 1;
}

static struct bytes or_default(struct bytes namespace)
{
	return namespace.size ? namespace : bytes_of("default");
}

struct route *route_find(struct dispatch *d, struct bytes namespace, struct bytes name)
{
	namespace = or_default(namespace);
	struct route *r = idmap_get(&d->routes, hash(namespace, name));
	while (r && (!bytes_equal(bytes_of(r->name), name) || !bytes_equal(bytes_of(r->namespace), namespace)))
		r = r->same_hash;
	return r;
}

struct route *route_get(struct dispatch *d, struct bytes namespace, struct bytes name)
{
	struct route *r = route_find(d, namespace, name);
	if (r)
		return r;
	namespace = or_default(namespace);
	uint64_t h = hash(namespace, name);
	struct route *first = idmap_get(&d->routes, h);
	r = NEW(struct route);
	r->namespace = mem_copy(namespace.data, namespace.size);
	r->name = mem_copy(name.data, name.size);
	r->same_hash = first;
	list_init(&r->calls);
	idmap_put(&d->routes, h, r);
	return r;
}

void turn_want(struct dispatch *d)
{
	if (d->turn_wanted)
		return;
	d->turn_wanted = true;
	d->calls.want_turn(d->calls.context);
}

void route_wake(struct dispatch *d, struct route *r)
{
	if (heap_has(&r->active) || (!r->ready && !r->alone_n && list_empty(&r->calls)))
		return;
	heap_put(&d->active, &r->active, r->given, ++d->wakes);
	turn_want(d);
}

/* Where an instance serves several routes they share it: who was given least is next. One that had nothing to give for a while
 * begins beside the others that wait, and has no right to what it did not use. */
static void catch_up(struct route *r)
{
	int64_t least = INT64_MAX;
	for (size_t k = 0; k < r->offer_n; k++) {
		const struct seat *s = r->offers[k].seat;
		for (size_t n = 0; s->route_n > 1 && n < s->route_n; n++) {
			const struct route *other = s->routes[n];
			if (other != r && other->ready && other->given < least)
				least = other->given;
		}
	}
	if (least != INT64_MAX && r->given < least)
		r->given = least;
}

/* What was given by other instances says nothing of how to share those that are there now. */
static void begin_anew(struct dispatch *d)
{
	size_t at = 0;
	for (struct route *r; (r = idmap_next(&d->routes, &at));) {
		for (; r; r = r->same_hash) {
			r->given = 0;
			if (heap_has(&r->active))
				heap_put(&d->active, &r->active, 0, r->active.tie);
		}
	}
}

static void count_given(struct route *r, unsigned n)
{
	r->given += (int64_t)n * DISPATCH_SHARE / (r->queue ? queue_weight(r->queue) : 1);
}

/* The first sight of a queue: its route is remembered under its address. */
void dispatch_ready(struct dispatch *d, struct queue *q)
{
	struct route *r = idmap_get(&d->by_queue, (uintptr_t)q);
	if (!r) {
		r = route_get(d, queue_namespace(q), queue_capability(q));
		r->queue = q;
		idmap_put(&d->by_queue, (uintptr_t)q, r);
	}
	if (!r->ready)
		catch_up(r);
	r->ready = true;
	if (r->offer_n)
		route_wake(d, r);
}

/* Prefetch hides the way to the instance and back; it must not make a job wait behind a long one while others are idle, nor
 * behind less urgent ones. So it is what the instance does in DISPATCH_AHEAD_MS, at most what is configured. */
static unsigned ahead(const struct seat *s)
{
	const struct instance *i = s->instance;
	if (!s->measured)
		return i->prefetch < 1 ? i->prefetch : 1;
	if (s->mean_us < 1000)
		return i->prefetch;
	uint64_t n = (uint64_t)i->concurrency * DISPATCH_AHEAD_MS * 1000 / (uint64_t)s->mean_us;
	return n < i->prefetch ? (unsigned)n : i->prefetch;
}

static bool has_room(const struct seat *s)
{
	const struct instance *i = s->instance;
	return i->state == INSTANCE_RUNNING && !i->draining && i->healthy && !s->refused_until_ms &&
		   i->in_flight < i->concurrency + ahead(s);
}

/* The one with the least in flight, in proportion to what it can do at once. */
static struct offer *pick(struct route *r, bool call)
{
	struct offer *best = NULL;
	for (size_t k = 0; k < r->offer_n; k++) {
		const struct instance *i = r->offers[k].seat->instance;
		if (!has_room(r->offers[k].seat) || (r->offers[k].seat->alone && !call))
			continue;
		if (!best ||
			i->in_flight * best->seat->instance->concurrency < best->seat->instance->in_flight * i->concurrency)
			best = &r->offers[k];
	}
	return best;
}

/* One that waited to run alone, and now can. */
static struct work *now_alone(struct route *r)
{
	for (size_t k = 0; k < r->offer_n; k++) {
		struct seat *s = r->offers[k].seat;
		if (s->alone_waits && s->alone->route == r && s->job_n == 0 && has_room(s))
			return s->alone;
	}
	return NULL;
}

static void give_job(struct work *w)
{
	struct seat *s = w->seat;
	if (work_suspected(w)) {
		s->alone = w;
		s->alone_waits = s->job_n > 0;
		w->route->alone_n += s->alone_waits;
	}
	if (!s->alone_waits)
		work_give(w);
}

/* One delivery. False: nothing to give, or nobody with room. */
static bool give_one(struct dispatch *d, struct route *r)
{
	struct work *w = now_alone(r);
	if (w) {
		w->seat->alone_waits = false;
		r->alone_n--;
		work_give(w);
		return true;
	}
	bool call = !list_empty(&r->calls);
	struct offer *o = pick(r, call);
	if (!o)
		return false;
	w = work_new(d, o->seat, r, o->index);
	if (call) { /* someone waits for an answer right now */
		call_give(container_of(r->calls.next, struct call, link), w);
		return true;
	}
	if (r->ready && r->queue && work_lease(w)) {
		give_job(w);
		return true;
	}
	r->ready = false;
	work_drop(w);
	return false;
}

void dispatch_turn(struct dispatch *d)
{
	d->turn_wanted = false;
	for (struct work *w; (w = d->revoked);) {
		d->revoked = w->next_free;
		work_tell_revoked(w);
	}
	if (d->held)
		return;
	unsigned left = DISPATCH_TURN_MAX;
	for (struct heap_node *first; left && (first = heap_first(&d->active));) {
		struct route *r = container_of(first, struct route, active);
		unsigned slice = d->active.n > 1 ? 1 : DISPATCH_SLICE, n = 0;
		bool more = true;
		heap_remove(&d->active, first);
		for (; n < slice && left && more; left--) {
			more = give_one(d, r);
			n += more;
		}
		count_given(r, n);
		if (more && !heap_has(first)) /* a runner that refused at once has woken it already */
			heap_put(&d->active, first, r->given, ++d->wakes);
	}
	if (heap_first(&d->active))
		turn_want(d);
}

static void look(void *context, struct queue *q)
{
	struct queue_info info;
	queue_get_info(q, &info);
	if (info.pending && !info.paused)
		dispatch_ready(context, q);
}

void dispatch_hold(struct dispatch *d, bool hold)
{
	d->held = hold;
	if (hold)
		return;
	queues_each(d->queues, look, d); /* what was loaded was never announced */
	if (heap_first(&d->active))
		turn_want(d);
}

/* ── seats ── */

struct seat *seat_get(struct dispatch *d, struct instance *i)
{
	struct seat *s = i->dispatch_data;
	if (!s) {
		s = NEW(struct seat);
		s->instance = i;
		list_init(&s->settling);
		i->dispatch_data = s;
	}
	return s;
}

void seat_wake(struct dispatch *d, struct seat *s)
{
	for (size_t k = 0; k < s->route_n; k++)
		route_wake(d, s->routes[k]);
}

/* It took nothing (its connection is down, say): without a pause the same jobs would go round and round. */
void seat_refused(struct dispatch *d, struct seat *s)
{
	s->refused_until_ms = dispatch_now(d) + DISPATCH_REFUSED_MS;
	dispatch_timer(d, &s->retry, s->refused_until_ms, TIMER_SEAT);
}

static void seat_retry(struct dispatch *d, struct seat *s)
{
	s->refused_until_ms = 0;
	seat_wake(d, s);
}

static void offer(struct route *r, struct seat *s, uint16_t index)
{
	for (size_t k = 0; k < r->offer_n; k++)
		if (r->offers[k].seat == s)
			return;
	if (r->offer_n == r->offer_room) {
		r->offer_room = r->offer_room ? r->offer_room * 2 : 4;
		r->offers = mem_resize(r->offers, r->offer_room * sizeof *r->offers);
	}
	r->offers[r->offer_n++] = (struct offer){s, index};
}

static void withdraw(struct seat *s)
{
	for (size_t k = 0; k < s->route_n; k++) {
		struct route *r = s->routes[k];
		for (size_t n = 0; n < r->offer_n; n++)
			if (r->offers[n].seat == s)
				r->offers[n--] = r->offers[--r->offer_n];
	}
	free(s->routes);
	s->routes = NULL;
	s->route_n = 0;
}

void dispatch_instance_running(struct dispatch *d, struct instance *i)
{
	struct seat *s = seat_get(d, i);
	withdraw(s);
	begin_anew(d);
	s->refused_until_ms = 0;
	s->routes = mem_new((i->capability_n * i->worker->namespace_n + 1) * sizeof *s->routes);
	for (size_t k = 0; k < i->capability_n; k++) {
		for (size_t n = 0; n < i->worker->namespace_n; n++) {
			struct route *r = route_get(d, bytes_of(i->worker->namespaces[n]), bytes_of(i->capabilities[k].name));
			s->routes[s->route_n++] = r;
			offer(r, s, (uint16_t)k);
		}
	}
	seat_wake(d, s);
}

void dispatch_instance_credit(struct dispatch *d, struct instance *i)
{
	struct seat *s = i->dispatch_data;
	if (!s)
		return;
	s->refused_until_ms = 0;
	seat_wake(d, s);
}

void dispatch_instance_gone(struct dispatch *d, struct instance *i)
{
	struct seat *s = i->dispatch_data;
	if (!s)
		return;
	withdraw(s);
	list_each(&i->deliveries, at)
	{ /* the runner tells lost() for each; one that it forgot is taken back here */
		struct delivery *x = container_of(at, struct delivery, link);
		struct job_error error = {"crashed", "its instance ended", 1};
		x->events->lost(x, &error);
	}
	list_each(&s->settling, at)
	{
		struct work *w = container_of(at, struct work, link);
		list_remove(at);
		w->seat = NULL;
	}
	if (s->alone_waits)
		work_return(s->alone);
	i->dispatch_data = NULL;
	heap_remove(&d->timers, &s->retry);
	free(s);
}

/* ── time ── */

void dispatch_timer(struct dispatch *d, struct heap_node *node, int64_t at_ms, unsigned kind)
{
	heap_put(&d->timers, node, at_ms, kind);
	d->calls.wake(d->calls.context, at_ms);
}

void dispatch_tick(struct dispatch *d, int64_t now_ms)
{
	for (struct heap_node *node; (node = heap_first(&d->timers)) && node->key <= now_ms;) {
		heap_remove(&d->timers, node);
		if (node->tie == TIMER_CALL)
			call_expire(container_of(node, struct call, timer));
		else if (node->tie == TIMER_SEAT)
			seat_retry(d, container_of(node, struct seat, retry));
		else
			work_give_up(container_of(node, struct work, give_up));
	}
	struct heap_node *next = heap_first(&d->timers);
	if (next)
		d->calls.wake(d->calls.context, next->key);
}

void dispatch_get_stats(const struct dispatch *d, struct dispatch_stats *out)
{
	*out = d->stats;
	out->waiting_calls = d->live_calls.n;
}
