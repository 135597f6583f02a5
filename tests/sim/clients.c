/* What clients may do to the queue. */
#include "sim.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct sent {
	struct list link; /* in world.asked; first member */
	struct world *w;
	int key;
};

static void on_submitted(void *context, const struct submit_reply *r)
{
	struct sent *s = context;
	struct world *w = s->w;
	for (size_t i = 0; i < r->n; i++) {
		struct sim_job *j = idmap_get(&w->jobs, r->ids[i]);
		sim_note(w, "submitted", r->ids[i], r->code);
		if (r->existing[i]) {
			SIM_CHECK(
				w, r->code || (j && (j->state != SIM_SENT || j->replayed)), "key: an earlier job that was never kept");
			continue;
		}
		if (r->code) {
			model_lost(w, j);
			continue;
		}
		j->told = true;
		if (j->state == SIM_SENT)
			j->state = SIM_LIVE;
	}
	if (s->key >= 0)
		w->keys[s->key].sent = false;
	sim_forget(&s->link);
}

const char *const sim_tenants[SIM_TENANTS] = {"", "ann", "bob", "cem"};

/* `input` must live until the submit. */
static void random_spec(struct world *w, int queue, struct job_spec *spec, char input[40])
{
	job_spec_init(spec);
	spec->namespace = bytes_of(queue ? sim_names[queue][0] : ""); /* the default one has a name, too */
	spec->capability = bytes_of(sim_names[queue][1]);
	snprintf(input, 40, "{\"n\":%u,\"a small\":\"input\"}", ++w->submits);
	spec->input = bytes_of(input);
	spec->priority = (int)sim_random(w, 10);
	if (sim_chance(w, 15))
		spec->due_at_ms = w->now_ms + (int64_t)sim_random(w, 300);
	if (sim_chance(w, 5))
		spec->expires_at_ms = w->now_ms + 1 + (int64_t)sim_random(w, 400);
	if (sim_chance(w, 20))
		spec->timeout_ms = 20 + (int64_t)sim_random(w, 400);
	if (sim_chance(w, 20))
		spec->max_attempts = 1 + (int)sim_random(w, 5);
	if (sim_chance(w, 5))
		spec->deadline_ms = w->now_ms + 400 + (int64_t)sim_random(w, 2000);
	if (sim_chance(w, 10)) {
		spec->retry_delay_ms = 10 + (int64_t)sim_random(w, 50);
		spec->retry_cap_ms = spec->retry_delay_ms + (int64_t)sim_random(w, 300);
	}
	if (sim_chance(w, 40))
		spec->key = bytes_of(sim_tenants[sim_random(w, SIM_TENANTS)]);
}

static int tenant_of(const struct job_spec *spec)
{
	int t = SIM_TENANTS - 1;
	while (t && !bytes_equal(spec->key, bytes_of(sim_tenants[t])))
		t--;
	return t;
}

/* The model knows it before anybody is told. */
static struct sim_job *sent(struct world *w, uint64_t id, int queue, const struct job_spec *spec, const char *input)
{
	model_sent(w, id, queue, spec);
	struct sim_job *j = model_find(w, id);
	j->number = (unsigned)strtoul(input + 5, NULL, 10);
	j->tenant = tenant_of(spec);
	return j;
}

static void check_refusal(struct world *w, int queue, size_t n, enum errcode code)
{
	SIM_CHECK(w, code == E_NO_SPACE || code == E_LIMIT, "submit: refused with %s", err_word(code));
	if (code != E_LIMIT)
		return;
	w->counts[DID_TOO_LONG]++;
	uint32_t most = w->flow[queue].max_length;
	SIM_CHECK(w, most && model_length(w, queue, false, false) + n > most, "submit: refused, though there is room");
}

static void check_length(struct world *w, int queue)
{
	uint32_t most = w->flow[queue].max_length;
	SIM_CHECK(w, !most || model_length(w, queue, false, true) <= most, "submit: kept, though the queue is full");
}

static struct sent *sent_new(struct world *w, int key)
{
	struct sent *s = NEW(struct sent);
	*s = (struct sent){.w = w, .key = key};
	list_append(&w->asked, &s->link);
	return s;
}

static uint64_t next_id(struct world *w)
{
	return queues_next_id(w->qs, w->now_ms > queues_now(w->qs) ? w->now_ms : queues_now(w->qs));
}

/* The ids that a submit gives follow one another. */
static void submit(struct world *w)
{
	struct job_spec specs[4];
	char inputs[4][40];
	size_t n = 1 + (sim_chance(w, 20) ? sim_random(w, 3) : 0);
	int queue = (int)sim_random(w, SIM_QUEUES);
	uint64_t batch = sim_chance(w, 15) ? 1 + sim_random(w, SIM_BATCHES - 1) : 0;
	if (w->live_n + (int)n > SIM_LIVE_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		random_spec(w, queue, &specs[i], inputs[i]);
		specs[i].batch_id = batch;
	}
	struct sent *s = sent_new(w, -1);
	uint64_t before = next_id(w);
	enum errcode code = queues_submit(w->qs, specs, n, w->now_ms, on_submitted, s, NULL);
	sim_note(w, "submit", n, code);
	if (code) {
		check_refusal(w, queue, n, code);
		sim_forget(&s->link);
		return;
	}
	check_length(w, queue);
	w->counts[DID_SUBMIT] += n;
	w->waiting_batches++;
	for (size_t i = 0; i < n; i++) {
		uint64_t id = before + 1 + i;
		SIM_CHECK(w, queues_find(w->qs, id), "submit: job %zu of %zu is not there", i + 1, n);
		sent(w, id, queue, &specs[i], inputs[i]);
	}
}

static void submit_with_key(struct world *w)
{
	struct job_spec spec;
	char text[8], input[40];
	int k = (int)sim_random(w, SIM_KEYS);
	struct sim_key *key = &w->keys[k];
	if (key->sent || w->full || w->live_n >= SIM_LIVE_MAX)
		return;
	random_spec(w, 1, &spec, input);
	snprintf(input, sizeof input, "{\"n\":%d}", k); /* another input would be refused */
	spec.input = bytes_of(input);
	snprintf(text, sizeof text, "k%d", k);
	spec.idempotency_key = bytes_of(text);
	uint64_t before = next_id(w);
	bool known = key->id && key->until_ms > queues_now(w->qs);
	struct sent *s = sent_new(w, k);
	enum errcode code = queues_submit(w->qs, &spec, 1, w->now_ms, on_submitted, s, NULL);
	if (code) {
		check_refusal(w, 1, 1, code);
		sim_forget(&s->link);
		return;
	}
	w->waiting_batches++;
	bool made = queues_find(w->qs, before + 1) != NULL;
	sim_note(w, "submit key", (uint64_t)k, made);
	SIM_CHECK(w, made == !known, "key %d: %s", k, known ? "made a second job" : "was thought known");
	if (!made)
		return;
	key->sent = true;
	key->id = before + 1;
	key->until_ms = queues_now(w->qs) + 24 * 3600 * 1000;
	sent(w, key->id, 1, &spec, input);
}

/* ── unique jobs ── */

enum held { NOT_HELD, HELD, EITHER };

static unsigned state_bit(struct world *w, const struct sim_job *j)
{
	if (j->state == SIM_ENDED)
		return 1u << (j->end == END_COMPLETED ? JOB_COMPLETED : j->end == END_FAILED ? JOB_FAILED : JOB_CANCELLED);
	if (j->fence)
		return 1u << JOB_PROCESSING;
	return 1u << (j->due_at_ms > queues_now(w->qs) ? JOB_SCHEDULED : JOB_PENDING);
}

static enum held unique_is(struct world *w, const struct sim_unique *u)
{
	const struct sim_job *j = u->id ? idmap_get(&w->jobs, u->id) : NULL;
	if (!j) /* it was lost, and perhaps the one that had the key before has it again */
		return u->id ? EITHER : NOT_HELD;
	if (u->until_ms <= queues_now(w->qs))
		return NOT_HELD;
	if (!u->surely || j->settling || j->state == SIM_SENT || j->replayed)
		return EITHER;
	return u->states & state_bit(w, j) ? HELD : NOT_HELD;
}

static void submit_unique(struct world *w)
{
	static const unsigned states[] = {JOB_UNIQUE_WAITING_OR_RUNNING, 1u << JOB_PENDING | 1u << JOB_SCHEDULED,
		JOB_UNIQUE_WAITING_OR_RUNNING | JOB_UNIQUE_OVER, 1u << JOB_PROCESSING};
	struct job_spec spec;
	char text[8], input[40];
	int k = (int)sim_random(w, SIM_UNIQUES);
	struct sim_unique *u = &w->uniques[k];
	if (w->live_n >= SIM_LIVE_MAX)
		return;
	queues_tick(w->qs, w->now_ms);
	random_spec(w, 1, &spec, input);
	snprintf(text, sizeof text, "u%d", k);
	spec.unique = (struct job_unique){.states = states[sim_random(w, ARRAY_SIZE(states))],
		.period_ms = 1 + (int64_t)sim_random(w, 2000),
		.key = bytes_of(text)};
	if (!(spec.unique.states & JOB_UNIQUE_OVER) && sim_chance(w, 50))
		spec.unique.period_ms = 0; /* as long as the states hold */
	uint64_t before = next_id(w);
	enum held held = unique_is(w, u);
	struct sent *s = sent_new(w, -1);
	enum errcode code = queues_submit(w->qs, &spec, 1, w->now_ms, on_submitted, s, NULL);
	if (code) {
		check_refusal(w, 1, 1, code);
		sim_forget(&s->link);
		return;
	}
	w->waiting_batches++;
	bool made = queues_find(w->qs, before + 1) != NULL;
	sim_note(w, "unique", (uint64_t)k, made);
	SIM_CHECK(w, held == EITHER || made == (held == NOT_HELD), "unique key %d: %s", k,
		made ? "made a second job" : "is held by nobody, and made none");
	w->counts[DID_EXISTING] += !made;
	if (!made)
		return;
	*u = (struct sim_unique){before + 1, spec.unique.states,
		spec.unique.period_ms ? queues_now(w->qs) + spec.unique.period_ms : INT64_MAX, true};
	sent(w, u->id, 1, &spec, input)->unique = k;
}

/* ── what is done to them ── */

static bool is_waiting(const struct sim_job *j)
{
	return model_waits(j);
}

static void move(struct world *w)
{
	struct sim_job *j = model_pick(w, is_waiting);
	struct job_move to = {.priority = sim_chance(w, 50) ? (int)sim_random(w, 10) : -1};
	int queue = (int)sim_random(w, SIM_QUEUES);
	if (!j)
		return;
	queues_tick(w->qs, w->now_ms);
	if (sim_chance(w, 60)) {
		to.namespace = bytes_of(sim_names[queue][0]);
		to.capability = bytes_of(sim_names[queue][1]);
	} else {
		queue = j->queue;
	}
	bool waits = model_waits(j);
	enum errcode code = queue_move(w->qs, j->id, &to, w->now_ms, NULL, NULL, NULL);
	sim_note(w, "move", j->id, code);
	bool nowhere = to.priority < 0 && !to.capability.size;
	SIM_CHECK(w,
		code == (nowhere	? E_INVALID
					: waits ? E_OK
							: E_STATE),
		"job %llu: move: %s", (unsigned long long)j->id, err_word(code));
	if (code)
		return;
	w->counts[DID_MOVE]++;
	j->settling = j->moving = true;
	j->from_queue = j->queue;
	j->from_priority = j->priority;
	j->queue = queue;
	j->priority = to.priority >= 0 ? to.priority : j->priority;
	model_turns_forget(w, j->from_queue);
	model_turns_forget(w, queue);
}

static bool is_live(const struct sim_job *j)
{
	return j->state == SIM_LIVE;
}

static void cancel(struct world *w)
{
	struct sim_job *j = model_pick(w, is_live);
	if (!j)
		return;
	bool ends = j->ends, later = j->settling && !j->ends;
	enum errcode want = ends || (later && j->cancel_later) ? E_STATE : E_OK;
	if (!ends && !later)
		model_ends(w, j, END_CANCELLED);
	enum errcode code = queue_cancel(w->qs, j->id, w->now_ms, NULL, NULL, NULL);
	sim_note(w, "cancel", j->id, code);
	SIM_CHECK(w, code == want, "cancel of job %llu: %s", (unsigned long long)j->id, err_word(code));
	w->counts[DID_CANCEL]++;
	j->cancel_later |= later;
}

struct dead_told {
	struct list link; /* in world.asked; first member */
	struct world *w;
	uint64_t id;
	bool replay;
};

static void on_dead_done(void *context, enum errcode code)
{
	struct dead_told *t = context;
	struct sim_job *j = model_find(t->w, t->id);
	SIM_CHECK(t->w, !code, "dead letter %llu: %s", (unsigned long long)t->id, err_word(code));
	if (t->replay)
		j->state = SIM_LIVE;
	sim_forget(&t->link);
}

static struct dead_told *dead_told_new(struct world *w, uint64_t id, bool replay)
{
	struct dead_told *t = NEW(struct dead_told);
	*t = (struct dead_told){.w = w, .id = id, .replay = replay};
	list_append(&w->asked, &t->link);
	return t;
}

/* A dead letter becomes a job again, or is forgotten. */
static void handle_dead(struct world *w)
{
	unsigned i = (unsigned)sim_random(w, SIM_DEAD);
	bool replay = sim_chance(w, 70) && w->live_n < SIM_LIVE_MAX;
	struct sim_job *j = w->dead[i] ? model_find(w, w->dead[i]) : NULL;
	if (!j)
		return;
	struct dead_told *t = dead_told_new(w, j->id, replay);
	enum errcode want = j->dead ? E_OK : j->state == SIM_ENDED ? E_NOT_FOUND : E_STATE;
	enum errcode code = replay ? queue_replay(w->qs, j->id, w->now_ms, on_dead_done, t, NULL)
							   : queue_purge(w->qs, j->id, on_dead_done, t, NULL);
	sim_note(w, replay ? "replay" : "purge", j->id, code);
	/* While a purge is under way the letter is neither there nor gone. */
	SIM_CHECK(w, code == want || (want == E_NOT_FOUND && code == E_STATE), "dead letter %llu: %s, not %s",
		(unsigned long long)j->id, err_word(code), err_word(want));
	w->counts[replay ? DID_REPLAY : DID_PURGE] += !code;
	if (code) {
		sim_forget(&t->link);
		return;
	}
	j->dead = false;
	if (replay)
		model_replayed(w, j);
}

const struct sim_action client_actions[] = {
	{"submit", 16, submit},
	{"submit with key", 1, submit_with_key},
	{"submit unique", 1, submit_unique},
	{"cancel", 1, cancel},
	{"move", 1, move},
	{"dead", 1, handle_dead},
	{NULL, 0, NULL},
};
