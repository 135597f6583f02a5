#include "link/parts.h"

#include "base/mem.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MAX = 8 };

/* ── life ── */

void session_unref(struct link_worker *w)
{
	if (--w->refs > 0)
		return;
	free(w->token);
	free(w->config);
	free(w->node);
	free(w);
}

static void on_turn(struct message *m)
{
	struct link_worker *w = container_of(m, struct link_worker, turn);

	w->turn_wanted = false;
	if (!w->closed)
		work_turn(w);
	session_unref(w);
}

void session_want_turn(struct link_worker *w)
{
	if (w->turn_wanted || w->closed)
		return;
	w->turn_wanted = true;
	w->refs++;
	w->turn.run = on_turn;
	loop_defer(w->loop, &w->turn);
}

static void peer_free(struct peer *p)
{
	struct link_worker *w = p->worker;

	list_remove(&p->link);
	if (w->peer == p) {
		w->peer = NULL;
		w->ready = false;
	}
	free(p);
}

/* Ends without a word to our owner. */
static void peer_drop(struct peer *p)
{
	link_conn_drop(p->conn);
	peer_free(p);
}

static void on_closed(void *context, const char *why)
{
	struct peer *p = context;
	struct link_worker *w = p->worker;
	bool was_it = w->peer == p;

	peer_free(p);
	if (was_it && !w->closed && w->events.disconnected)
		w->events.disconnected(w->events.context, why);
}

/* ── HELLO ── */

static bool token_good(const char *expected, const char *given)
{
	size_t n = strlen(expected);
	unsigned char different = strlen(given) != n;

	for (size_t i = 0; i < n; i++) /* in the same time wherever they differ */
		different |= (unsigned char)(expected[i] ^ given[different & 1 ? 0 : i]);
	return !different;
}

static void put_welcome(struct link_worker *w, const struct buf *held)
{
	const struct instance *i = w->instance;
	scoped(buf_fini) struct buf json = {0};

	buf_text(&json, "{\"instance\":");
	buf_json_string(&json, bytes_of(i->id));
	buf_text(&json, ",\"node\":");
	buf_json_string(&json, bytes_of(w->node));
	buf_format(
		&json, ",\"concurrency\":%u,\"prefetch\":%u,\"config\":%s,\"held\":[", i->concurrency, i->prefetch, w->config);
	buf_add(&json, held->data, held->size);
	buf_text(&json, "]}");
	link_conn_put_json(w->peer->conn, FRAME_WELCOME, 0, json.data, json.size);
}

static void become_ready(struct link_worker *w)
{
	w->ready = true;
	if (w->events.ready)
		w->events.ready(w->events.context);
	if (!w->closed && w->ready && w->drain_ms >= 0)
		link_conn_put_simple(w->peer->conn, FRAME_DRAIN, 0, 0, w->drain_ms);
}

/* The peer shows who it is. Ends it when it is not the right one. */
static void take_hello(struct peer *p, const struct wire_message *m)
{
	struct link_worker *w = p->worker;
	struct err e = {0};
	struct hello h;
	scoped(buf_fini) struct buf held = {0};

	if (!hello_parse(&h, m->data, m->size, &e)) {
		link_conn_end(p->conn, "hello", e.text);
	} else if (!token_good(w->token, h.token)) {
		link_conn_end(p->conn, "token", "the token is wrong: this socket belongs to another instance");
	} else {
		link_conn_peer(p->conn, &h.say.peer_pid, &h.say.peer_uid);
		if (w->events.hello(w->events.context, &h.say, &e) != E_OK) {
			if (!w->closed)
				link_conn_end(p->conn, "refused", e.text);
		} else if (!w->closed) {
			if (w->peer) /* the old connection is a leftover: the worker has opened a new one */
				peer_drop(w->peer);
			w->peer = p;
			work_resume(w, &h, &held);
			if (!w->closed) {
				put_welcome(w, &held);
				if (h.say.ready)
					become_ready(w);
			}
		}
	}
	hello_fini(&h);
}

/* ── messages ── */

static struct bytes member(const json_t *object, const char *name)
{
	return bytes_of(json_string_value(json_object_get(object, name)));
}

static const char *take_json(struct link_worker *w, const struct wire_message *m)
{
	json_t *root = json_loadb(m->data, m->size, 0, NULL), *metadata;
	char *text;

	if (!json_is_object(root)) {
		json_decref(root);
		return "a frame that holds JSON does not hold a JSON object";
	}
	if (m->type == FRAME_FAILED && w->events.start_failed) {
		w->events.start_failed(w->events.context, member(root, "code"), member(root, "message"));
	} else if (m->type == FRAME_ANNOUNCE && w->events.announce) {
		metadata = json_object_get(root, "metadata");
		text = metadata && json_is_object(metadata) ? json_dumps(metadata, JSON_COMPACT) : NULL;
		w->events.announce(
			w->events.context, member(root, "name"), member(root, "type"), member(root, "address"), bytes_of(text));
		free(text);
	}
	json_decref(root);
	return NULL;
}

static const char *take_pong(struct link_worker *w, const struct wire_message *m)
{
	struct message_simple s;
	if (!message_get_simple(m, &s))
		return "PONG is malformed";
	if (w->events.health)
		w->events.health(w->events.context, s.number != 0, (struct bytes){s.data.data, s.data.size});
	return NULL;
}

static const char *take_log(struct link_worker *w, struct wire_message *m)
{
	struct message_log l;

	if (!message_get_log(m, &l))
		return "LOG is malformed";
	if (m->id)
		return work_message(w, m);
	if (w->events.log)
		w->events.log(w->events.context, (int)l.severity, (struct bytes){l.event.data, l.event.size},
			(struct bytes){l.fields.data, l.fields.size});
	return NULL;
}

static const char *dispatch_message(struct link_worker *w, struct wire_message *m)
{
	switch (m->type) {
	case FRAME_READY:
		if (w->ready)
			return "READY came twice";
		become_ready(w);
		return NULL;
	case FRAME_FAILED:
	case FRAME_ANNOUNCE:
		return take_json(w, m);
	case FRAME_PONG:
		return take_pong(w, m);
	case FRAME_LOG:
		return take_log(w, m);
	case FRAME_DRAIN: /* it was asked to stop by someone else: nothing more for it */
		w->instance->draining = true;
		return NULL;
	case FRAME_BYE:
		if (w->events.bye)
			w->events.bye(w->events.context);
		return NULL;
	default:
		return work_message(w, m);
	}
}

static void take_error(struct peer *p, const struct wire_message *m)
{
	char why[256];
	snprintf(why, sizeof why, "the worker ended the connection: %.*s", (int)(m->size < 200 ? m->size : 200), m->data);
	link_conn_end(p->conn, "error", why);
}

static const char *on_message(void *context, struct wire_message *m)
{
	struct peer *p = context;
	struct link_worker *w = p->worker;
	const char *why = NULL;

	w->refs++; /* whoever is told something may close us */
	if (m->type == FRAME_ERROR)
		take_error(p, m);
	else if (w->peer != p && m->type != FRAME_HELLO)
		why = "the first frame must be HELLO";
	else if (w->peer == p && m->type == FRAME_HELLO)
		why = "HELLO came twice";
	else if (m->file_n && m->type != FRAME_RESULT && m->type != FRAME_BLOB_PUT)
		why = "a descriptor comes with a frame that takes none";
	else if (m->type == FRAME_HELLO)
		take_hello(p, m);
	else
		why = dispatch_message(w, m);
	session_unref(w);
	return why;
}

static const struct link_conn_events conn_events = {on_message, on_closed};

static void on_accepted(void *context, int fd)
{
	struct link_worker *w = context;
	struct peer *p = NEW(struct peer);
	int n = 0;

	list_each(&w->peers, at) n++;
	p->worker = w;
	p->since_ms = loop_now_ms(w->loop);
	list_append(&w->peers, &p->link);
	p->conn = link_conn_open(w->loop, fd, &conn_events, p);
	if (n >= PEERS_MAX)
		link_conn_end(p->conn, "limit", "too many connections to this instance");
}

/* Its answer brings the worker's health: asked as often as is configured, and often enough to notice silence. */
static int64_t ping_ms(const struct link_worker *w)
{
	int64_t ms = w->instance->worker ? w->instance->worker->health[HEALTH_LIVENESS].interval_ms : 0;
	if (ms <= 0 || ms > LINK_PING_MS)
		return LINK_PING_MS;
	return ms < LINK_PING_LEAST_MS ? LINK_PING_LEAST_MS : ms;
}

/* Every ping_ms: asks, and ends what has been silent for too long. */
static void on_timer(void *context)
{
	struct link_worker *w = context;
	int64_t now_ms = loop_now_ms(w->loop);

	loop_timer_set(w->timer, ping_ms(w));
	w->refs++;
	list_each(&w->peers, at)
	{
		struct peer *p = container_of(at, struct peer, link);
		if (p != w->peer && now_ms - p->since_ms > LINK_HELLO_MS)
			link_conn_end(p->conn, "timeout", "no HELLO came within 10 seconds");
		else if (p == w->peer && now_ms - link_conn_read_at(p->conn) > LINK_SILENCE_MS)
			link_conn_end(p->conn, "timeout", "nothing was heard of the worker for 30 seconds");
		else if (p == w->peer)
			link_conn_put_simple(p->conn, FRAME_PING, ++w->pings, 0, 0);
		if (w->closed)
			break;
	}
	session_unref(w);
}

enum errcode link_worker_open(struct loop *loop, struct instance *instance, const struct link_worker_options *options,
	const struct link_worker_events *events, struct link_worker **out, struct err *e)
{
	size_t token = strlen(options->token);

	if (token < 16 || token > LINK_TOKEN_MAX)
		return err_set(e, E_INVALID, "a token has 16 to %d characters, not %zu", LINK_TOKEN_MAX, token);
	struct link_worker *w = NEW(struct link_worker);
	*w =
		(struct link_worker){.loop = loop, .instance = instance, .events = *events, .blobs = options->blobs, .refs = 1};
	list_init(&w->peers);
	w->drain_ms = -1;
	w->item_window = options->item_window ? options->item_window : 64;
	enum errcode code = link_listener_open(loop, options->path, options->listen_fd, on_accepted, w, &w->listener, e);
	if (code != E_OK) {
		free(w);
		return code;
	}
	w->token = mem_text(options->token);
	w->node = mem_text(options->node ? options->node : "");
	w->config = options->config.size ? mem_copy(options->config.data, options->config.size) : mem_text("{}");
	w->timer = loop_timer_new(loop, on_timer, w);
	loop_timer_set(w->timer, ping_ms(w));
	*out = w;
	return E_OK;
}

void link_worker_close(struct link_worker *w, const struct job_error *error)
{
	if (!w || w->closed)
		return;
	link_worker_lose(w, error);
	w->closed = true;
	while (!list_empty(&w->peers))
		peer_drop(container_of(w->peers.next, struct peer, link));
	link_listener_close(w->listener);
	loop_timer_free(w->timer);
	work_fini(w);
	session_unref(w);
}

void link_worker_drain(struct link_worker *w, int64_t grace_ms)
{
	bool first = w->drain_ms < 0;

	w->drain_ms = grace_ms < 0 ? 0 : grace_ms;
	w->instance->draining = true;
	if (first && w->peer && w->ready)
		link_conn_put_simple(w->peer->conn, FRAME_DRAIN, 0, 0, w->drain_ms);
}

bool link_worker_connected(const struct link_worker *w)
{
	return w->peer != NULL;
}
