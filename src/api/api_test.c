/* api_test.c - the API over a real Unix socket, on the memory store; the test itself is the worker. */
#include "api/api.h"
#include "api/openapi.h"

#include "base/mem.h"
#include "event/event.h"
#include "metrics/metrics.h"
#include "wire/id.h"

#include <ctype.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static struct api api;
static struct http_server *server;
static char directory[64], socket_path[80];
static bool recovering, stopping, turn_wanted;

/* ── what the wiring does ── */

static void ended(void *context, struct job *j, const struct job_outcome *o)
{
	api_job_ended(&api, j, o);
	batches_ended(api.batches, j, o);
	waits_tell(api.waits, j->id, o);
}

static void progress(void *context, struct job *j, int percent, struct bytes message)
{
	api_job_progress(&api, j, percent, message);
}

static void ready(void *context, struct queue *q)
{
	claims_ready(api.claims, q);
}

static void taken_back(void *context, struct job *j, enum revoke_reason why)
{
	claims_revoke(api.claims, j);
}

static struct callback_request *posted; /* a callback that is being sent, or NULL */

static void post(void *context, struct callback_request *r)
{
	posted = r;
}

static void joining(void *context, uint64_t batch_id, const uint64_t *ids, size_t n, struct store_batch *b)
{
	batches_joining(api.batches, batch_id, ids, n, b);
}

static uint64_t follow(void *context, struct bytes namespace, struct bytes text, struct store_batch *b)
{
	struct submission job;
	scoped(mem_free_at) char *copy = mem_copy(text.data, text.size);
	assert_int_equal(job_template_parse(&job, namespace, api.allow, copy, loop_now_ms(api.loop)), E_OK);
	uint64_t id = queues_submit_in(api.queues, b, &job.specs[0], loop_now_ms(api.loop));
	submission_fini(&job);
	return id;
}

static void ending(void *context, struct job *j, const struct job_outcome *o, struct store_batch *b)
{
	callbacks_job_ending(api.callbacks, j, o, b);
	batches_ending(api.batches, j, o, b);
}

static const struct queue_hooks hooks = {
	.ready = ready, .revoke = taken_back, .ending = ending, .ended = ended, .joining = joining, .progress = progress};

static int64_t now_ms(void *context)
{
	return loop_now_ms(api.loop);
}

static void nothing(void *context)
{
}

static void wake_nobody(void *context, int64_t at_ms)
{
}

static const struct runner_ops *no_runner(void *context, const struct worker *w)
{
	return NULL;
}

static enum errcode no_initialize(void *context, struct instance *i, bool *later, struct err *e)
{
	return E_OK;
}

static void no_change(void *context, struct instance *i, enum instance_state from)
{
}

static void no_instance(void *context, struct instance *i)
{
}

static void no_worker(void *context, struct worker *w)
{
}

static bool nobody_starts(void *context)
{
	return false;
}

static const struct supervisor_calls supervisor_calls = {.runner = no_runner,
	.initialize = no_initialize,
	.changed = no_change,
	.gone = no_instance,
	.worker_gone = no_worker,
	.wake = wake_nobody,
	.now_ms = now_ms};
static const struct dispatch_calls dispatch_calls = {
	.now_ms = now_ms, .want_turn = nothing, .wake = wake_nobody, .anyone_starting = nobody_starts};

static void claims_at_once(void *context)
{
	turn_wanted = true;
}

static const struct claim_calls claim_calls = {.now_ms = now_ms, .want_turn = claims_at_once, .wake = wake_nobody};

static enum errcode make_scheduled(void *context, const struct schedule_definition *d, int64_t at_ms, int64_t delay_ms,
	struct store_batch *b, uint64_t *id, struct err *e)
{
	struct submission job;
	scoped(mem_free_at) char *text = schedule_job(d, at_ms);
	assert_int_equal(job_template_parse(&job, bytes_of(d->namespace), api.allow, text, at_ms), E_OK);
	*id = queues_submit_in(api.queues, b, &job.specs[0], loop_now_ms(api.loop));
	submission_fini(&job);
	return E_OK;
}

static bool scheduled_lives(void *context, const struct schedule_definition *d, uint64_t id)
{
	return queues_find(api.queues, id) != NULL;
}

static int setup(void **state)
{
	struct err e;
	api = (struct api){.loop = loop_new(),
		.node = "test",
		.data_dir = directory,
		.socket = socket_path,
		.recovering = &recovering,
		.stopping = &stopping};
	snprintf(directory, sizeof directory, "/tmp/reeve-api-test-%d", (int)getpid());
	snprintf(socket_path, sizeof socket_path, "%s/s", directory);
	mkdir(directory, 0700);
	assert_int_equal(store_memory_open(api.loop, &api.store, &e), E_OK);
	api.started_at_ms = loop_now_ms(api.loop);
	api.queues = queues_new(api.store, 1, 1, &hooks);
	struct callbacks_options callbacks = {
		.store = api.store, .queues = api.queues, .limits = callback_default_limits, .send = post};
	api.callbacks = callbacks_new(&callbacks);
	api.allow = allow_new();
	struct batches_options batches = {
		.store = api.store, .queues = api.queues, .callbacks = api.callbacks, .submit = follow};
	api.batches = batches_new(&batches);
	api.waits = waits_new();
	api.registry = registry_new();
	api.supervisor = supervisor_new(&supervisor_calls, 1);
	api.dispatch = dispatch_new(api.queues, api.registry, &dispatch_calls);
	api.claims = claims_new(api.queues, api.store, &claim_calls);
	api.events = events_new(64, api.started_at_ms);
	api.schedules =
		schedules_new(api.queues, api.events, &(struct schedule_maker){NULL, make_scheduled, scheduled_lives, NULL});
	api.metrics = metrics_new();
	char blobs[96];
	snprintf(blobs, sizeof blobs, "%s/blobs", directory);
	mkdir(blobs, 0700);
	assert_int_equal(blobs_open(blobs, 2 << 20, &api.blobs, &e), E_OK);
	struct http_options o = {.unix_path = socket_path, .routes = api_routes, .context = &api, .answered = api_answered};
	if (http_server_open(api.loop, &o, &server, &e) != E_OK)
		fail_msg("%s", e.text);
	return 0;
}

static int teardown(void **state)
{
	char command[100];
	http_server_close(server);
	dispatch_free(api.dispatch);
	claims_free(api.claims);
	supervisor_free(api.supervisor);
	registry_free(api.registry);
	store_close(api.store);
	schedules_free(api.schedules);
	batches_free(api.batches);
	callbacks_free(api.callbacks);
	allow_free((struct allow *)api.allow);
	queues_free(api.queues);
	waits_free(api.waits);
	blobs_close(api.blobs);
	loop_free(api.loop);
	events_free(api.events);
	metrics_free(api.metrics);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

/* ── the client ── */

struct client {
	int fd;
	struct buf in;
};

static void turn(struct client *c)
{
	char data[65536];
	ssize_t n;
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	uv_run(loop_uv(api.loop), UV_RUN_NOWAIT);
	if (turn_wanted) {
		turn_wanted = false;
		claims_turn(api.claims);
	}
	claims_tick(api.claims);
	poll(&p, 1, 1);
	while ((n = recv(c->fd, data, sizeof data, MSG_DONTWAIT)) > 0)
		buf_add(&c->in, data, (size_t)n);
}

static void client_open(struct client *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	*c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	strcpy(a.sun_path, socket_path);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
}

static void client_send(struct client *c, const char *method, const char *path, const char *headers, struct bytes body)
{
	scoped(buf_fini) struct buf b = {0};
	buf_format(&b, "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", method, path, headers, body.size);
	buf_add(&b, body.data, body.size);
	for (size_t at = 0; at < b.size;) {
		ssize_t n = send(c->fd, b.data + at, b.size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		at += n > 0 ? (size_t)n : 0;
		turn(c);
	}
}

static void client_expect(struct client *c, const char *text)
{
	for (int i = 0; i < 10000; i++) {
		if (c->in.data && strstr(c->in.data, text))
			return;
		turn(c);
	}
	fail_msg("expected %s, got %s", text, c->in.data ? c->in.data : "nothing");
}

static void client_close(struct client *c)
{
	close(c->fd);
	buf_fini(&c->in);
}

/* The whole answer is there: the header says its length. */
static bool whole(const struct buf *in)
{
	const char *end = in->data ? strstr(in->data, "\r\n\r\n") : NULL,
			   *length = in->data ? strstr(in->data, "Content-Length: ") : NULL;
	if (!end)
		return false;
	if (!length)
		return strstr(end, "\r\n0\r\n\r\n") != NULL;
	return in->size >= (size_t)(end + 4 - in->data) + strtoul(length + 16, NULL, 10);
}

static json_t *ask_with(int status, const char *method, const char *path, const char *headers, struct bytes body)
{
	struct client c;
	client_open(&c);
	client_send(&c, method, path, headers, body);
	for (int i = 0; i < 20000 && !whole(&c.in); i++)
		turn(&c);
	if (!whole(&c.in) || atoi(c.in.data + 9) != status)
		fail_msg("%s %s gave %s", method, path, c.in.data ? c.in.data : "nothing");
	json_t *json = json_loads(strstr(c.in.data, "\r\n\r\n") + 4, JSON_DECODE_ANY, NULL);
	client_close(&c);
	return json;
}

static json_t *ask(int status, const char *method, const char *path, const char *body)
{
	return ask_with(status, method, path, "", bytes_of(body));
}

static void expect(json_t *json, const char *member, const char *value)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY),
		 *is = json_dumps(json_object_get(json, member), JSON_COMPACT | JSON_ENCODE_ANY);
	if (!is || strcmp(is, value) != 0)
		fail_msg("%s is not %s in %s", member, value, text);
	free(text);
	free(is);
}

static char *submit(const char *body) /* the id */
{
	json_t *json = ask(202, "POST", "/v1/jobs", body);
	char *id = mem_text(json_string_value(json_object_get(json, "job_id")));
	json_decref(json);
	assert_non_null(id);
	return id;
}

/* The worker: takes the next job of a capability and ends it. */
static void work(const char *capability, const char *result, const char *error)
{
	struct queue *q = queues_get(api.queues, bytes_of("default"), bytes_of(capability));
	struct job *j = queue_lease(q, loop_now_ms(api.loop), &api);
	assert_non_null(j);
	job_started(j, loop_now_ms(api.loop));
	uint64_t fence = job_fence(api.queues, j);
	struct job_error e = {.retryable = 0};
	struct err why;
	if (error) {
		snprintf(e.code, sizeof e.code, "%s", error);
		snprintf(e.message, sizeof e.message, "it is broken");
		assert_int_equal(queue_fail(api.queues, j->id, fence, &e, loop_now_ms(api.loop), NULL, NULL, &why), E_OK);
	} else {
		assert_int_equal(
			queue_complete(api.queues, j->id, fence, bytes_of(result), loop_now_ms(api.loop), NULL, NULL, &why), E_OK);
	}
}

static char *path_of(const char *before, const char *id, const char *after)
{
	static char path[128];
	snprintf(path, sizeof path, "%s%s%s", before, id, after);
	return path;
}

/* ── jobs ── */

static void a_job_is_submitted_shown_and_its_result_waited_for(void **state)
{
	scoped(mem_free_at) char *id =
		submit("{\"capability\":\"email.parse\",\"input\":{\"a\":[1,2]},\"priority\":7,\"tags\":[\"t\"]}");
	char path[64];
	snprintf(path, sizeof path, "/v1/jobs/%s", id);
	json_t *job = ask(200, "GET", path, "");
	expect(job, "status", "\"pending\"");
	expect(job, "namespace", "\"default\"");
	expect(job, "priority", "7");
	expect(job, "tags", "[\"t\"]");
	expect(job, "result", "null");
	json_decref(job);

	struct client c;
	client_open(&c);
	snprintf(path, sizeof path, "/v1/jobs/%s?wait=30s", id);
	client_send(&c, "GET", path, "", bytes_of(""));
	work("email.parse", "{\"n\":3}", NULL);
	client_expect(&c, "\"status\":\"completed\"");
	client_expect(&c, "\"result\":{\"n\":3}");
	client_close(&c);
}

static void many_jobs_are_one_commit(void **state)
{
	json_t *list =
		ask(202, "POST", "/v1/jobs", "{\"jobs\":[{\"capability\":\"a\"},{\"capability\":\"b\",\"delay\":\"1h\"}]}");
	json_t *jobs = json_object_get(list, "jobs");
	assert_int_equal(json_array_size(jobs), 2);
	expect(json_array_get(jobs, 0), "status", "\"pending\"");
	expect(json_array_get(jobs, 1), "status", "\"scheduled\"");
	json_decref(list);
}

#define NDJSON "Content-Type: application/x-ndjson\r\n"

/* Sends lines; gives the lines of the answer, an array. */
static json_t *submit_lines(struct bytes body)
{
	struct client c;
	client_open(&c);
	client_send(&c, "POST", "/v1/jobs", NDJSON, body);
	for (int i = 0; i < 20000 && !whole(&c.in); i++)
		turn(&c);
	if (!whole(&c.in) || atoi(c.in.data + 9) != 200)
		fail_msg("the lines gave %s", c.in.data ? c.in.data : "nothing");
	json_t *all = json_array();
	for (char *line = strtok(strstr(c.in.data, "\r\n\r\n") + 4, "\n"); line; line = strtok(NULL, "\n"))
		json_array_append_new(all, json_loads(line, 0, NULL));
	client_close(&c);
	return all;
}

static void each_line_stands_for_itself_and_is_told_what_became_of_it(void **state)
{
	json_t *all =
		submit_lines(bytes_of("{\"capability\":\"l\",\"idempotency_key\":\"1\"}\n\n"
							  "{\"capability\":\"l\",\"priority\":10}\r\n"
							  "{\"capability\":\n"
							  "{\"capability\":\"l\",\"idempotency_key\":\"1\"}\n"
							  "{\"capability\":\"l\",\"idempotency_key\":\"1\",\"input\":1}\n"
							  "{\"capability\":\"l\",\"delay\":\"1h\"}")); /* the last one without its line break */
	assert_int_equal(json_array_size(all), 7);
	expect(json_array_get(all, 0), "status", "\"pending\"");
	expect(json_array_get(all, 1), "line", "3");
	expect(json_array_get(all, 1), "status", "\"refused\"");
	expect(json_array_get(all, 1), "pointer", "\"/priority\"");
	expect(json_array_get(all, 2), "code", "\"invalid\"");
	expect(json_array_get(all, 3), "existing", "true");
	assert_true(json_equal(
		json_object_get(json_array_get(all, 3), "job_id"), json_object_get(json_array_get(all, 0), "job_id")));
	expect(json_array_get(all, 4), "code", "\"conflict\"");
	expect(json_array_get(all, 5), "line", "7");
	expect(json_array_get(all, 5), "status", "\"scheduled\"");
	expect(json_array_get(all, 6), "lines", "6");
	expect(json_array_get(all, 6), "submitted", "2");
	expect(json_array_get(all, 6), "existing", "1");
	expect(json_array_get(all, 6), "refused", "3");
	json_decref(all);
}

static void lines_of_any_number_are_kept_and_told_in_their_order(void **state)
{
	enum { N = 12000 }; /* the answer is larger than what stays in memory */
	scoped(buf_fini) struct buf body = {0};
	for (int i = 0; i < N; i++)
		buf_format(&body,
			"{\"capability\":\"bulk\",\"input\":{\"number\":%d,\"text\":\"................................\"}}\n", i);
	json_t *all = submit_lines(buf_bytes(&body)), *queue = ask(200, "GET", "/v1/queues/bulk", "");
	assert_int_equal(json_array_size(all), N + 1);
	for (int i = 0; i < N; i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(all, (size_t)i), "line")), i + 1);
	expect(queue, "pending", "12000");
	json_decref(all);
	json_decref(queue);
}

static void a_line_that_is_too_long_is_refused_and_the_next_one_is_kept(void **state)
{
	scoped(buf_fini) struct buf body = {0};
	buf_text(&body, "{\"capability\":\"long\",\"input\":\"");
	memset(buf_reserve(&body, 9 << 20), 'x', 9 << 20);
	body.size += 9 << 20;
	buf_text(&body, "\"}\n{\"capability\":\"long\"}\n");
	json_t *all = submit_lines(buf_bytes(&body));
	assert_int_equal(json_array_size(all), 3);
	expect(json_array_get(all, 0), "code", "\"too_large\"");
	expect(json_array_get(all, 1), "line", "2");
	expect(json_array_get(all, 1), "status", "\"pending\"");
	json_decref(all);
}

/* A client that sends, and neither ends its body nor takes an answer. */
static void send_some_lines(struct client *c, int n)
{
	scoped(buf_fini) struct buf b = {0};
	buf_text(&b, "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n" NDJSON "Content-Length: 100000000\r\n\r\n");
	for (int i = 0; i < n; i++)
		buf_text(&b, "{\"capability\":\"gone\"}\n");
	buf_text(&b, "{\"capabi");
	for (size_t at = 0; at < b.size;) {
		ssize_t sent = send(c->fd, b.data + at, b.size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		at += sent > 0 ? (size_t)sent : 0;
		turn(c);
	}
}

static void lines_are_kept_before_the_body_has_ended_and_when_the_client_goes(void **state)
{
	struct client c;
	json_t *queue = NULL;
	client_open(&c);
	send_some_lines(&c, 700);
	for (int i = 0; i < 2000; i++) {
		struct queue_info info;
		queue_get_info(queues_get(api.queues, (struct bytes){0}, bytes_of("gone")), &info);
		if (info.pending == 700)
			break;
		turn(&c);
	}
	queue = ask(200, "GET", "/v1/queues/gone", "");
	expect(queue, "pending", "700");
	json_decref(queue);
	client_close(&c);
	for (int busy = 0; busy < 8; busy++) { /* gone in different places of the way */
		client_open(&c);
		send_some_lines(&c, 300);
		for (int i = 0; i < busy; i++)
			turn(&c);
		client_close(&c);
	}
	json_decref(ask(200, "GET", "/v1/queues/gone", ""));
}

static void a_key_in_the_header_is_not_for_lines(void **state)
{
	json_t *problem =
		ask_with(400, "POST", "/v1/jobs", NDJSON "Idempotency-Key: k\r\n", bytes_of("{\"capability\":\"a\"}\n"));
	expect(problem, "code", "\"invalid\"");
	json_decref(problem);
}

static void a_bad_job_is_refused_with_its_place_and_nothing_is_kept(void **state)
{
	static const struct {
		const char *body, *pointer, *text;
		int status;
	} cases[] = {
		{"{\"capability\":\"a\",\"priority\":10}", "\"/priority\"", "10 is not a whole number from 0 to 9", 400},
		{"{\"capability\":\"a\",\"dellay\":\"5s\"}", "\"/dellay\"", "did you mean \\\"delay\\\"?", 400},
		{"{\"capability\":\"a\",\"timeout\":\"5\"}", "\"/timeout\"", "is not a duration", 400},
		{"{\"jobs\":[{\"capability\":\"a\"},{\"capability\":\"a\",\"run_at\":\"soon\"}]}", "\"/jobs/1/run_at\"",
			"is not a time", 400},
		{"{\"input\":1}", NULL, "capability", 400},
		{"{\"capability\":\"a\",\"input\":{\"x\":}}", NULL, "line 1, column 32", 400},
		{"{\"capability\":\"a\",\"input\":\"\xff\"}", NULL, "valid UTF-8", 400},
		{"[]", NULL, "expected an object", 400},
		{"", NULL, "expected an object", 400},
		{"{\"jobs\":[]}", NULL, "empty", 400},
		{"{\"capability\":\"a\",\"input\":{\"blob\":\"sha256:"
		 "0000000000000000000000000000000000000000000000000000000000000000\"}}",
			"\"/input/blob\"", "", 422},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *problem = ask(cases[i].status, "POST", "/v1/jobs", cases[i].body);
		char *text = json_dumps(problem, JSON_COMPACT);
		if (!strstr(text, cases[i].text))
			fail_msg("%s gave %s", cases[i].body, text);
		if (cases[i].pointer)
			expect(problem, "pointer", cases[i].pointer);
		free(text);
		json_decref(problem);
	}
	json_t *list = ask(200, "GET", "/v1/jobs", "");
	expect(list, "jobs", "[]");
	json_decref(list);
}

static void a_time_to_live_counts_from_now_where_the_job_could_have_begun_long_ago(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\",\"run_at\":\"2001-01-01T00:00:00Z\",\"ttl\":\"1h\"}");
	work("a", "1", NULL);
	json_t *job = ask(200, "GET", path_of("/v1/jobs/", id, "?wait=5s"), "");
	expect(job, "status", "\"completed\"");
	json_decref(job);
}

static void an_input_that_breaks_its_schema_is_422_with_the_pointer(void **state)
{
	struct capability capability = {.name = (char[]){"a"},
		.version = (char[]){"1.0.0"},
		.input_schema = (char[]){"{\"properties\":{\"n\":{\"type\":\"integer\"}}}"}};
	struct worker worker = {.id = (char[]){"w"}, .namespaces = (char *[]){(char[]){"default"}, NULL}, .namespace_n = 1};
	struct instance instance = {
		.id = "w-1", .worker = &worker, .state = INSTANCE_RUNNING, .capabilities = &capability, .capability_n = 1};
	registry_add(api.registry, &instance);
	json_t *problem = ask(422, "POST", "/v1/jobs", "{\"capability\":\"a\",\"input\":{\"n\":\"x\"}}");
	expect(problem, "pointer", "\"/input/n\"");
	json_decref(problem);
	problem = ask(
		422, "POST", "/v1/jobs", "{\"jobs\":[{\"capability\":\"a\"},{\"capability\":\"a\",\"input\":{\"n\":1.5}}]}");
	expect(problem, "pointer", "\"/jobs/1/input/n\"");
	json_decref(problem);
	problem = ask(422, "POST", "/v1/invoke/a", "{\"n\":null}");
	expect(problem, "pointer", "\"/n\"");
	json_decref(problem);
	free(submit("{\"capability\":\"a\",\"input\":{\"n\":1}}"));
	registry_remove(api.registry, &instance);
	json_decref(ask(400, "POST", "/v1/invoke/a", "{\"n\":"));
}

static void an_idempotency_key_gives_the_earlier_job(void **state)
{
	json_t *a = ask_with(202, "POST", "/v1/jobs", "Idempotency-Key: k1\r\n", bytes_of("{\"capability\":\"a\"}"));
	json_t *b = ask_with(202, "POST", "/v1/jobs", "Idempotency-Key: k1\r\n", bytes_of("{\"capability\":\"a\"}"));
	assert_true(json_equal(json_object_get(a, "job_id"), json_object_get(b, "job_id")));
	expect(b, "existing", "true");
	json_decref(
		ask_with(400, "POST", "/v1/jobs", "Idempotency-Key: k1\r\n", bytes_of("{\"jobs\":[{\"capability\":\"a\"}]}")));
	json_decref(a);
	json_decref(b);
}

static void a_full_disk_is_507_and_nothing_is_kept(void **state)
{
	store_memory_set_full(api.store, true);
	json_t *problem = ask(507, "POST", "/v1/jobs", "{\"capability\":\"a\"}");
	expect(problem, "code", "\"no_space\"");
	json_decref(problem);
	store_memory_set_full(api.store, false);
	json_t *list = ask(200, "GET", "/v1/jobs", "");
	expect(list, "jobs", "[]");
	json_decref(list);
}

static void jobs_are_cancelled_once(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\"}");
	json_t *job = ask(200, "DELETE", path_of("/v1/jobs/", id, ""), "");
	expect(job, "status", "\"cancelled\"");
	json_decref(job);
	json_decref(ask(409, "DELETE", path_of("/v1/jobs/", id, ""), ""));
	json_decref(ask(404, "GET", "/v1/jobs/0000000000000", ""));
	json_decref(ask(404, "GET", "/v1/jobs/nonsense", ""));
}

static void a_list_gives_every_job_once_over_its_pages_and_filters(void **state)
{
	char seen[32][ID_TEXT_SIZE];
	int n = 0;
	for (int i = 0; i < 9; i++)
		free(submit(i % 3 ? "{\"capability\":\"a\",\"tags\":[\"x\",\"y\"]}" : "{\"capability\":\"b\"}"));
	for (int i = 0; i < 3; i++) {
		work("a", "1", NULL);
		work("b", NULL, i < 2 ? "BROKEN" : "WORSE");
	}
	char path[96] = "/v1/jobs?limit=2";
	for (int page = 0; page < 10 && *path; page++) {
		json_t *list = ask(200, "GET", path, ""), *job;
		size_t i;
		assert_in_range(json_array_size(json_object_get(list, "jobs")), 0, 2);
		json_array_foreach(json_object_get(list, "jobs"), i, job)
		{
			const char *id = json_string_value(json_object_get(job, "job_id"));
			assert_true(n == 0 || strcmp(id, seen[n - 1]) < 0);
			strcpy(seen[n++], id);
		}
		const char *cursor = json_string_value(json_object_get(list, "cursor"));
		*path = 0;
		if (cursor)
			snprintf(path, sizeof path, "/v1/jobs?limit=2&cursor=%s", cursor);
		json_decref(list);
	}
	assert_int_equal(n, 9);
	static const struct {
		const char *query;
		size_t n;
	} filters[] = {{"status=completed", 3}, {"status=failed", 3}, {"status=pending", 3}, {"status=processing", 0},
		{"capability=b", 3}, {"tag=y", 6}, {"tag=z", 0}, {"namespace=other", 0},
		{"namespace=default&capability=a&status=completed", 3}};
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		snprintf(path, sizeof path, "/v1/jobs?%s", filters[i].query);
		json_t *list = ask(200, "GET", path, "");
		if (json_array_size(json_object_get(list, "jobs")) != filters[i].n)
			fail_msg("%s gave %zu", filters[i].query, json_array_size(json_object_get(list, "jobs")));
		json_decref(list);
	}
	json_decref(ask(400, "GET", "/v1/jobs?status=lost", ""));
	json_decref(ask(400, "GET", "/v1/jobs?limit=0", ""));
	json_decref(ask(400, "GET", "/v1/jobs?cursor=!", ""));
}

/* ── dead letters, queues ── */

static void a_dead_letter_is_shown_replayed_and_purged(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\",\"input\":{\"x\":1}}");
	work("a", NULL, "BROKEN");
	json_t *dead = ask(200, "GET", path_of("/v1/dead/", id, ""), "");
	expect(dead, "error", "{\"code\":\"BROKEN\",\"message\":\"it is broken\",\"retryable\":false}");
	json_decref(dead);
	json_decref(ask(200, "POST", path_of("/v1/dead/", id, "/replay"), ""));
	json_decref(ask(404, "GET", path_of("/v1/dead/", id, ""), ""));
	work("a", NULL, "BROKEN");
	dead = ask(200, "GET", "/v1/dead?capability=a", "");
	assert_int_equal(json_array_size(json_object_get(dead, "dead")), 1);
	json_decref(dead);
	json_decref(ask(200, "DELETE", path_of("/v1/dead/", id, ""), ""));
	json_decref(ask(404, "DELETE", path_of("/v1/dead/", id, ""), ""));
}

static void all_dead_letters_of_a_capability_are_replayed_or_purged(void **state)
{
	for (int i = 0; i < 3; i++) {
		free(submit("{\"capability\":\"a\"}"));
		work("a", NULL, "BROKEN");
	}
	free(submit("{\"capability\":\"b\"}"));
	work("b", NULL, "BROKEN");
	json_t *json = ask(200, "POST", "/v1/dead/replay?capability=a", "");
	expect(json, "replayed", "3");
	json_decref(json);
	work("a", "1", NULL);
	json = ask(200, "DELETE", "/v1/dead", "");
	expect(json, "purged", "1");
	json_decref(json);
	json = ask(200, "GET", "/v1/dead", "");
	expect(json, "dead", "[]");
	json_decref(json);
}

/* ── callbacks ── */

static void answer_post(int status)
{
	for (int i = 0; i < 1000 && !posted; i++)
		uv_run(loop_uv(api.loop), UV_RUN_ONCE);
	assert_non_null(posted);
	struct callback_request *r = posted;
	posted = NULL;
	r->status = status;
	snprintf(r->error, sizeof r->error, "the receiver answered %d", status);
	callback_sent(api.callbacks, r, loop_now_ms(api.loop));
}

static json_t *until_callbacks(const char *query, size_t n)
{
	for (int i = 0;; i++) {
		json_t *list = ask(200, "GET", path_of("/v1/callbacks", query, ""), "");
		if (json_array_size(json_object_get(list, "callbacks")) == n)
			return list;
		if (i == 200)
			fail_msg("%zu callbacks, not %zu", json_array_size(json_object_get(list, "callbacks")), n);
		json_decref(list);
	}
}

static void a_callback_that_failed_is_listed_tried_again_and_purged(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\",\"callback\":{\"url\":\"http://example.com/h?a=\\\"\","
										  "\"headers\":{\"Authorization\":\"secret\"}}}");
	json_t *job = ask(200, "GET", path_of("/v1/jobs/", id, ""), "");
	expect(job, "callback", "{\"url\":\"http://example.com/h?a=\\\"\"}");
	json_decref(job);
	work("a", "1", NULL);
	answer_post(410);
	json_decref(until_callbacks("?status=pending", 0));
	json_t *list = until_callbacks("?status=failed", 1), *c = json_array_get(json_object_get(list, "callbacks"), 0);
	expect(c, "status", "\"failed\"");
	expect(c, "type", "\"job.completed\"");
	expect(c, "attempts", "1");
	expect(c, "last_status", "410");
	expect(c, "error", "\"the receiver answered 410\"");
	expect(c, "next_at", "null");
	assert_string_equal(json_string_value(json_object_get(c, "job_id")), id);
	scoped(mem_free_at) char *callback = mem_text(json_string_value(json_object_get(c, "callback_id")));
	char *text = json_dumps(list, 0);
	assert_null(strstr(text, "secret"));
	free(text);
	json_decref(list);

	json_t *answer = ask(200, "POST", path_of("/v1/callbacks/", callback, "/retry"), "");
	expect(answer, "retried", "1");
	json_decref(answer);
	answer_post(410);
	answer = ask(200, "POST", "/v1/callbacks/retry?namespace=other", "");
	expect(answer, "retried", "0");
	json_decref(answer);
	answer = ask(200, "POST", "/v1/callbacks/retry", "");
	expect(answer, "retried", "1");
	json_decref(answer);
	answer_post(500);
	json_decref(until_callbacks("?status=pending", 1));
	answer = ask(200, "DELETE", path_of("/v1/callbacks/", callback, ""), "");
	expect(answer, "purged", "1");
	json_decref(answer);
	json_decref(ask(404, "GET", path_of("/v1/callbacks/", callback, ""), ""));
	json_decref(ask(404, "POST", path_of("/v1/callbacks/", callback, "/retry"), ""));
	json_decref(ask(400, "GET", "/v1/callbacks?status=lost", ""));
}

static void a_bad_callback_is_refused_with_its_place(void **state)
{
	json_t *p = ask(400, "POST", "/v1/jobs", "{\"capability\":\"a\",\"callback\":{\"url\":\"ftp://h/\"}}");
	expect(p, "pointer", "\"/callback\"");
	json_decref(p);
	p = ask(
		403, "POST", "/v1/jobs", "{\"jobs\":[{\"capability\":\"a\",\"callback\":{\"url\":\"http://127.0.0.1:9/\"}}]}");
	expect(p, "pointer", "\"/jobs/0/callback\"");
	expect(p, "code", "\"denied\"");
	json_decref(p);
}

/* ── batches ── */

static void until_batch(const char *id, const char *status)
{
	for (int i = 0;; i++) {
		json_t *b = ask(200, "GET", path_of("/v1/batches/", id, ""), "");
		bool is = strcmp(json_string_value(json_object_get(b, "status")), status) == 0;
		json_decref(b);
		if (is)
			return;
		if (i == 200)
			fail_msg("the batch does not become %s", status);
	}
}

static void a_batch_is_made_filled_closed_shown_and_its_results_paged(void **state)
{
	json_t *made = ask(202, "POST", "/v1/batches",
		"{\"name\":\"nightly "
		"\\u00e4\",\"open\":true,\"max_failures\":1,\"namespace\":\"default\",\"callback\":{\"url\":\"http:"
		"//h.example/"
		"\"},\"then\":{\"capability\":\"sum\",\"input\":7},\"jobs\":[{\"capability\":\"work\"},{\"capability\":"
		"\"work\"}]}");
	scoped(mem_free_at) char *id = mem_text(json_string_value(json_object_get(made, "batch_id")));
	assert_int_equal(json_array_size(json_object_get(made, "jobs")), 2);
	json_decref(made);
	made = ask(202, "POST", path_of("/v1/batches/", id, "/jobs"), "{\"capability\":\"work\"}");
	assert_int_equal(json_array_size(json_object_get(made, "jobs")), 1);
	json_decref(made);
	work("work", "{\"a\": 1}", NULL);
	work("work", NULL, "BAD");
	json_decref(ask(200, "POST", path_of("/v1/batches/", id, "/close"), ""));
	json_decref(ask(409, "POST", path_of("/v1/batches/", id, "/close"), ""));
	json_t *b = ask(200, "GET", path_of("/v1/batches/", id, ""), "");
	expect(b, "status", "\"running\"");
	expect(b, "percent", "66");
	expect(b, "counts",
		"{\"total\":3,\"scheduled\":0,\"pending\":1,\"processing\":0,\"completed\":1,\"failed\":1,\"cancelled\":0}");
	json_decref(b);

	struct client c;
	client_open(&c);
	client_send(&c, "GET", path_of("/v1/batches/", id, "?wait=30s"), "", bytes_of(""));
	work("work", "3", NULL);
	client_expect(&c, "\"status\":\"completed\"");
	client_close(&c);
	assert_string_equal(posted->type, "batch.completed");
	assert_non_null(strstr(posted->body.data, "\"failed\":1"));
	answer_post(200);
	work("sum", "1", NULL);

	json_t *jobs = ask(200, "GET", path_of("/v1/batches/", id, "/jobs?limit=2"), "");
	assert_int_equal(json_array_size(json_object_get(jobs, "jobs")), 2);
	char query[64];
	snprintf(query, sizeof query, "/jobs?cursor=%s", json_string_value(json_object_get(jobs, "cursor")));
	json_decref(jobs);
	jobs = ask(200, "GET", path_of("/v1/batches/", id, query), "");
	assert_int_equal(json_array_size(json_object_get(jobs, "jobs")), 1);
	expect(json_array_get(json_object_get(jobs, "jobs"), 0), "status", "\"completed\"");
	json_decref(jobs);

	client_open(&c);
	client_send(&c, "GET", path_of("/v1/batches/", id, "/results"), "", bytes_of(""));
	client_expect(&c, "\"status\":\"completed\",\"result\":{\"a\": 1},\"error\":null}\n{");
	client_expect(&c, "\"status\":\"failed\",\"result\":null,\"error\":{\"code\":\"BAD\"");
	client_close(&c);
	json_t *list = ask(200, "GET", "/v1/batches", "");
	assert_int_equal(json_array_size(json_object_get(list, "batches")), 1);
	json_decref(list);
}

static void a_batch_is_cancelled_with_its_jobs(void **state)
{
	json_t *made = ask(202, "POST", "/v1/batches",
		"{\"jobs\":[{\"capability\":\"work\"},{\"capability\":\"work\",\"delay\":\"1h\"}]}");
	scoped(mem_free_at) char *id = mem_text(json_string_value(json_object_get(made, "batch_id")));
	json_decref(made);
	struct client c;
	client_open(&c);
	client_send(&c, "DELETE", path_of("/v1/batches/", id, ""), "", bytes_of(""));
	for (int i = 0; i < 20; i++) {
		batches_tick(api.batches, loop_now_ms(api.loop));
		turn(&c);
	}
	client_expect(&c, "\"status\":\"cancelled\"");
	client_close(&c);
	until_batch(id, "cancelled");
	json_decref(ask(409, "DELETE", path_of("/v1/batches/", id, ""), ""));
	json_decref(ask(404, "DELETE", "/v1/batches/0000000000001", ""));
}

static void a_bad_batch_is_refused_with_its_place_and_nothing_is_kept(void **state)
{
	static const struct {
		int status;
		const char *body, *pointer;
	} cases[] = {{400, "{}", NULL}, {400, "{\"jobs\":[]}", NULL},
		{400, "{\"jobs\":[{\"capability\":\"a b\"}]}", "\"/jobs/0\""}, {400, "{\"open\":1}", "\"/open\""},
		{400, "{\"open\":true,\"max_failures\":-1}", "\"/max_failures\""},
		{400, "{\"open\":true,\"then\":{\"capabilty\":\"a\"}}", "\"/then/capabilty\""},
		{403, "{\"open\":true,\"callback\":{\"url\":\"http://127.0.0.1/\"}}", "\"/callback\""},
		{403, "{\"open\":true,\"then\":{\"capability\":\"a\",\"callback\":{\"url\":\"http://127.0.0.1/\"}}}",
			"\"/then/callback\""},
		{400, "{\"open\":true,\"then\":[]}", "\"/then\""}, {400, "{\"opem\":true}", "\"/opem\""},
		{400, "{\"jobs\":[{\"capability\":\"a\",\"unique\":true}]}", NULL},
		{400, "{\"namespace\":\"mine\",\"jobs\":[{\"capability\":\"a\",\"namespace\":\"yours\"}]}", NULL}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *p = ask(cases[i].status, "POST", "/v1/batches", cases[i].body);
		if (cases[i].pointer)
			expect(p, "pointer", cases[i].pointer);
		json_decref(p);
	}
	json_t *list = ask(200, "GET", "/v1/batches", "");
	expect(list, "batches", "[]");
	json_decref(list);
}

static void a_paused_queue_gives_nothing_out(void **state)
{
	free(submit("{\"capability\":\"a\"}"));
	json_t *queue = ask(200, "POST", "/v1/queues/a/pause", "");
	json_decref(queue);
	assert_null(queue_lease(queues_get(api.queues, bytes_of("default"), bytes_of("a")), loop_now_ms(api.loop), &api));
	queue = ask(200, "GET", "/v1/queues", "");
	expect(json_array_get(json_object_get(queue, "queues"), 0), "paused", "true");
	json_decref(queue);
	json_decref(ask(200, "POST", "/v1/queues/a/resume", ""));
	work("a", "1", NULL);
}

/* ── schedules ── */

#define NIGHTLY                                                                                                        \
	"{\"name\":\"nightly\",\"cron\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\",\"job\":{\"capability\":\"a\","      \
	"\"input\":{\"n\":1},\"priority\":7}}"

static void a_schedule_is_created_shown_changed_and_removed(void **state)
{
	json_t *s = ask(201, "POST", "/v1/schedules", NIGHTLY);
	expect(s, "origin", "\"api\"");
	expect(s, "namespace", "\"default\"");
	expect(s, "paused", "false");
	assert_int_equal(json_array_size(json_object_get(s, "next")), 5);
	json_decref(s);
	json_decref(ask(409, "POST", "/v1/schedules", NIGHTLY));
	s = ask(200, "GET", "/v1/schedules", "");
	expect(s, "cursor", "null");
	json_t *one = json_array_get(json_object_get(s, "schedules"), 0);
	expect(one, "job", "{\"capability\":\"a\",\"priority\":7}"); /* of many, without inputs */
	json_decref(s);
	s = ask(200, "PUT", "/v1/schedules/nightly", "{\"every\":\"5m\",\"job\":{\"capability\":\"a\"}}");
	expect(s, "every", "\"5m\"");
	assert_null(json_object_get(s, "cron"));
	json_decref(s);
	s = ask(200, "POST", "/v1/schedules/nightly/pause", "");
	expect(s, "paused", "true");
	expect(s, "next", "[]");
	json_decref(s);
	json_decref(ask(200, "POST", "/v1/schedules/nightly/resume", ""));
	json_decref(ask(200, "DELETE", "/v1/schedules/nightly", ""));
	json_decref(ask(404, "GET", "/v1/schedules/nightly", ""));
	json_decref(ask(404, "PUT", "/v1/schedules/nightly", NIGHTLY));
}

static void one_made_by_hand_is_shown_with_how_it_went(void **state)
{
	json_decref(ask(201, "POST", "/v1/schedules", NIGHTLY));
	json_t *made = ask(202, "POST", "/v1/schedules/nightly/run", "");
	json_t *s = ask(200, "GET", "/v1/schedules/nightly", "");
	json_t *last = json_array_get(json_object_get(s, "last"), 0);
	assert_string_equal(
		json_string_value(json_object_get(last, "job_id")), json_string_value(json_object_get(made, "job_id")));
	expect(last, "status", "\"pending\"");
	expect(s, "fired_total", "1");
	json_decref(s);
	json_decref(made);
	work("a", "1", NULL);
	s = ask(200, "GET", "/v1/schedules/nightly", "");
	expect(json_array_get(json_object_get(s, "last"), 0), "status", "\"completed\"");
	json_decref(s);
}

static void schedules_are_listed_a_page_at_a_time(void **state)
{
	char body[200], path[100] = "/v1/schedules?limit=2";
	size_t seen = 0;
	for (int i = 0; i < 5; i++) {
		snprintf(body, sizeof body,
			"{\"name\":\"s%d\",\"namespace\":\"n%d\",\"every\":\"1h\",\"job\":{\"capability\":\"a\"}}", i, i % 2);
		json_decref(ask(201, "POST", "/v1/schedules", body));
	}
	for (bool more = true; more;) {
		json_t *page = ask(200, "GET", path, "");
		const char *cursor = json_string_value(json_object_get(page, "cursor"));
		seen += json_array_size(json_object_get(page, "schedules"));
		more = cursor != NULL;
		snprintf(path, sizeof path, "/v1/schedules?limit=2&cursor=%s", cursor ? cursor : "");
		json_decref(page);
	}
	assert_int_equal(seen, 5);
	json_t *page = ask(200, "GET", "/v1/schedules?namespace=n1", "");
	assert_int_equal(json_array_size(json_object_get(page, "schedules")), 2);
	json_decref(page);
}

static void what_is_wrong_with_a_schedule_is_said_with_its_place(void **state)
{
	static const struct {
		const char *body, *pointer, *word;
	} cases[] = {
		{"{\"name\":\"a\",\"cron\":\"0 24 * * *\",\"job\":{\"capability\":\"a\"}}", "\"/cron\"", "position 3"},
		{"{\"name\":\"a\",\"cron\":\"0 2 * * *\",\"timezone\":\"Mars/Base\",\"job\":{\"capability\":\"a\"}}",
			"\"/timezone\"", "Mars/Base"},
		{"{\"name\":\"a\",\"every\":\"1h\",\"job\":{\"capability\":\"a\",\"priority\":10}}", "\"/job/priority\"", "10"},
		{"{\"name\":\"a\",\"every\":\"1h\",\"job\":{\"capability\":\"a\",\"jobs\":[]}}", "\"/job\"", "jobs"},
		{"{\"name\":\"a\",\"every\":\"1h\",\"job\":{\"capability\":\"a\",\"input\":{\"blob\":\"sha256:"
		 "0000000000000000000000000000000000000000000000000000000000000000\"}}}",
			"\"/job/input/blob\"", "0000"},
		{"{\"name\":\"a\",\"every\":\"1h\",\"job\":{\"capability\":\"a\",\"callback\":{\"url\":\"http://127.0.0.1/"
		 "\"}}}",
			"\"/job/callback\"", "127.0.0.1"},
		{"{\"name\":\"a b\",\"every\":\"1h\",\"job\":{\"capability\":\"a\"}}", "\"/name\"", "a b"},
		{"{\"name\":\"a\",\"evry\":\"1h\",\"job\":{\"capability\":\"a\"}}", "\"\"", "evry"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = strstr(cases[i].body, "sha256") ? 422 : strstr(cases[i].body, "callback") ? 403 : 400;
		json_t *problem = ask(status, "POST", "/v1/schedules", cases[i].body);
		if (cases[i].pointer[1] != '"')
			expect(problem, "pointer", cases[i].pointer);
		const char *detail = json_string_value(json_object_get(problem, "detail"));
		if (!strstr(detail, cases[i].word))
			fail_msg("\"%s\" does not say \"%s\"", detail, cases[i].word);
		json_decref(problem);
	}
	json_decref(ask(400, "POST", "/v1/schedules", "{"));
}

static void a_rule_can_be_tried_without_making_anything(void **state)
{
	json_t *times = ask(200, "POST", "/v1/schedules/preview",
		"{\"cron\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\",\"from\":\"2026-03-28T12:00:00Z\",\"count\":2}");
	expect(times, "times",
		"[{\"at\":\"2026-03-29T01:00:00.000Z\",\"local\":\"2026-03-29T03:00:00.000+02:00\"},{\"at\":\"2026-03-30T00:30:"
		"00.000Z\",\"local\":\"2026-03-30T02:30:00.000+02:00\"}]");
	json_decref(times);
	json_decref(ask(400, "POST", "/v1/schedules/preview", "{\"every\":\"1h\",\"count\":0}"));
}

static void limits_are_replaced_changed_and_reset(void **state)
{
	json_t *q = ask(200, "PUT", "/v1/queues/a/limits", "{\"concurrency\":3,\"rate\":5,\"key\":{\"concurrency\":1}}");
	expect(q, "limits", "{\"concurrency\":3,\"rate\":5,\"burst\":5,\"key\":{\"concurrency\":1}}");
	expect(q, "limits_from", "\"api\"");
	json_decref(q);
	q = ask(200, "PATCH", "/v1/queues/a/limits", "{\"rate\":7,\"key\":null,\"max_length\":2}");
	expect(q, "limits", "{\"concurrency\":3,\"rate\":7,\"burst\":7,\"max_length\":2}");
	json_decref(q);
	q = ask(400, "PATCH", "/v1/queues/a/limits", "{\"key\":{\"burst\":7}}");
	expect(q, "pointer", "\"/key/burst\"");
	json_decref(q);
	q = ask(200, "DELETE", "/v1/queues/a/limits", "");
	expect(q, "limits", "{}");
	expect(q, "limits_from", "\"configuration\"");
	json_decref(q);
	q = ask(200, "PATCH", "/v1/namespaces/lab/limits", "{\"max_length\":2}");
	expect(q, "limits", "{\"max_length\":2}");
	json_decref(q);
	json_decref(ask(400, "PUT", "/v1/namespaces/lab/limits", "{\"key\":{\"rate\":1}}"));
	json_decref(ask(400, "PUT", "/v1/namespaces/a%20b/limits", "{}"));
}

static void a_full_queue_is_429_with_its_numbers(void **state)
{
	json_decref(ask(200, "PUT", "/v1/queues/a/limits", "{\"max_length\":2}"));
	free(submit("{\"capability\":\"a\"}"));
	json_t *full = ask(
		429, "POST", "/v1/jobs", "{\"jobs\":[{\"capability\":\"a\"},{\"capability\":\"b\"},{\"capability\":\"a\"}]}");
	expect(full, "code", "\"limited\"");
	expect(full, "capability", "\"a\"");
	expect(full, "length", "1");
	expect(full, "max_length", "2");
	expect(full, "asked", "2");
	json_decref(full);
	free(submit("{\"capability\":\"a\"}"));
	json_t *b = ask(200, "GET", "/v1/queues/b", "");
	expect(b, "pending", "0");
	json_decref(b);
}

static void a_queue_says_what_holds_it_back_and_whose_jobs_wait(void **state)
{
	free(submit("{\"capability\":\"a\",\"key\":\"acme\"}"));
	free(submit("{\"capability\":\"a\",\"key\":\"acme\"}"));
	json_decref(ask(200, "PUT", "/v1/queues/a/limits", "{\"key\":{\"rate\":0.001,\"burst\":1}}"));
	work("a", "1", NULL);
	assert_null(queue_lease(queues_get(api.queues, bytes_of("default"), bytes_of("a")), loop_now_ms(api.loop), &api));
	json_t *q = ask(200, "GET", "/v1/queues/a", "");
	expect(q, "blocked", "\"keys\"");
	expect(q, "top_keys", "[{\"key\":\"acme\",\"pending\":1,\"processing\":0,\"blocked\":\"rate\"}]");
	json_decref(q);
	json_decref(ask(200, "POST", "/v1/queues/pause", ""));
	q = ask(200, "GET", "/v1/queues", "");
	expect(q, "paused", "true");
	expect(json_array_get(json_object_get(q, "queues"), 0), "blocked", "\"all_paused\"");
	json_decref(q);
}

/* ── events, metrics, the document ── */

static void a_follower_sees_a_job_from_how_it_is_to_its_end(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\"}"), *other = submit("{\"capability\":\"a\"}");
	struct client c;
	client_open(&c);
	client_send(&c, "GET", path_of("/v1/jobs/", id, "/events"), "", bytes_of(""));
	client_expect(&c, "event: job\ndata: {\"job_id\":");
	work("a", "1", NULL);
	client_expect(&c, "event: job.completed\ndata: {\"id\":");
	client_expect(&c, "\r\n0\r\n\r\n"); /* the stream ends with the job */
	assert_null(strstr(c.in.data, other));
	client_close(&c);
	json_decref(ask(404, "GET", "/v1/jobs/0000000000000/events", ""));
}

static void events_go_on_where_the_last_one_was(void **state)
{
	free(submit("{\"capability\":\"a\"}"));
	free(submit("{\"capability\":\"a\"}"));
	struct client c;
	client_open(&c);
	client_send(&c, "GET", "/v1/events?type=job.", "", bytes_of(""));
	client_expect(&c, "retry:");
	work("a", "1", NULL);
	client_expect(&c, "event: job.completed");
	char id[32] = "", headers[64];
	sscanf(strstr(c.in.data, "id: ") + 4, "%31[0-9]", id);
	client_close(&c);
	work("a", "1", NULL);
	client_open(&c);
	snprintf(headers, sizeof headers, "Last-Event-ID: %s\r\n", id);
	client_send(&c, "GET", "/v1/events", headers, bytes_of(""));
	client_expect(&c, "event: job.completed");
	client_close(&c);
	client_open(&c);
	client_send(&c, "GET", "/v1/events", "Last-Event-ID: 1\r\n", bytes_of(""));
	client_expect(&c, "event: lost");
	client_close(&c);
}

static void metrics_pass_promtool(void **state)
{
	free(submit("{\"capability\":\"a\"}"));
	work("a", "1", NULL);
	struct client c;
	client_open(&c);
	client_send(&c, "GET", "/metrics", "", bytes_of(""));
	for (int i = 0; i < 10000 && !whole(&c.in); i++)
		turn(&c);
	const char *text = strstr(c.in.data, "\r\n\r\n") + 4;
	assert_non_null(strstr(text, "reeve_jobs_completed_total{namespace=\"default\",capability=\"a\"} 1\n"));
	assert_non_null(strstr(text, "reeve_http_requests_total{method=\"POST\",route=\"/v1/jobs\",status=\"202\"} 1\n"));
	if (system("command -v promtool >/dev/null") == 0) {
		FILE *p = popen("promtool check metrics 1>&2", "w");
		fputs(text, p);
		assert_int_equal(pclose(p), 0);
	}
	client_close(&c);
}

/* ── claims ── */

static char *claim_path(json_t *claim, const char *verb)
{
	static char path[128];
	snprintf(path, sizeof path, "/v1/claims/%s/%s", json_string_value(json_object_get(claim, "job_id")), verb);
	return path;
}

static void a_job_is_claimed_kept_and_completed(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\",\"input\":{\"n\":1},\"tags\":[\"t\"]}");
	char body[200];
	json_t *answer = ask(200, "POST", "/v1/claims", "{\"capabilities\":[\"b\",\"a\"],\"max\":5,\"client\":\"me\"}");
	json_t *claim = json_array_get(json_object_get(answer, "claims"), 0);
	expect(claim, "input", "{\"n\":1}");
	expect(claim, "attempt", "1");
	expect(claim, "tags", "[\"t\"]");
	long long fence = json_integer_value(json_object_get(claim, "fence"));
	snprintf(body, sizeof body,
		"{\"fence\":%lld,\"progress\":{\"percent\":40,\"message\":\"on\"},\"items\":[{\"key\":7,\"item\":[1]}],"
		"\"checkpoint\":{\"at\":7}}",
		fence);
	json_t *beat = ask(200, "POST", claim_path(claim, "heartbeat"), body);
	expect(beat, "cancelled", "false");
	json_decref(beat);
	json_t *job = ask(200, "GET", path_of("/v1/jobs/", id, ""), "");
	expect(job, "progress", "{\"percent\":40,\"message\":\"on\"}");
	json_decref(job);
	json_t *held = ask(200, "GET", "/v1/claims", "");
	expect(json_array_get(json_object_get(held, "claims"), 0), "client", "\"me\"");
	expect(json_array_get(json_object_get(held, "clients"), 0), "held", "1");
	json_decref(held);
	snprintf(body, sizeof body, "{\"fence\":%lld,\"result\":{\"m\":2}}", fence);
	json_t *end = ask(200, "POST", claim_path(claim, "complete"), body);
	expect(end, "status", "\"completed\"");
	json_decref(end);
	json_t *late = ask(409, "POST", claim_path(claim, "complete"), body);
	expect(late, "code", "\"fenced\"");
	json_decref(late);
	job = ask(200, "GET", path_of("/v1/jobs/", id, ""), "");
	expect(job, "result", "{\"m\":2}");
	json_decref(job);
	json_decref(answer);
}

static void many_claims_end_in_one_request_each_as_it_did(void **state)
{
	scoped(buf_fini) struct buf body = {0};
	for (int i = 0; i < 3; i++)
		free(submit("{\"capability\":\"a\",\"max_attempts\":1}"));
	json_t *answer = ask(200, "POST", "/v1/claims", "{\"capabilities\":[\"default/a\"],\"max\":3}"), *claim;
	size_t i;
	buf_text(&body, "{\"completions\":[");
	json_array_foreach(json_object_get(answer, "claims"), i, claim)
	{
		buf_format(&body, "%s{\"job_id\":\"%s\",\"fence\":%lld,%s}", i ? "," : "",
			json_string_value(json_object_get(claim, "job_id")),
			(long long)json_integer_value(json_object_get(claim, "fence")) + (i == 2),
			i == 1 ? "\"error\":{\"code\":\"BAD\",\"retryable\":false}" : "\"result\":1");
	}
	assert_int_equal(i, 3);
	buf_text(&body, "]}");
	json_t *ends = ask(200, "POST", "/v1/claims/complete", body.data), *list = json_object_get(ends, "claims");
	expect(json_array_get(list, 0), "status", "\"completed\"");
	expect(json_array_get(list, 1), "status", "\"failed\"");
	expect(json_object_get(json_array_get(list, 2), "error"), "code", "\"fenced\"");
	json_decref(ends);
	json_decref(answer);
}

static void a_cancelled_claim_hears_of_it(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\"}");
	char body[64];
	json_t *answer = ask(200, "POST", "/v1/claims", "{\"capabilities\":[\"a\"]}");
	json_t *claim = json_array_get(json_object_get(answer, "claims"), 0);
	snprintf(body, sizeof body, "{\"fence\":%lld}", (long long)json_integer_value(json_object_get(claim, "fence")));
	json_decref(ask(200, "DELETE", path_of("/v1/jobs/", id, ""), ""));
	json_t *beat = ask(200, "POST", claim_path(claim, "heartbeat"), body);
	expect(beat, "cancelled", "true");
	json_decref(beat);
	json_t *late = ask(409, "POST", claim_path(claim, "complete"), body);
	expect(late, "code", "\"cancelled\"");
	json_decref(late);
	json_decref(answer);
}

static void a_result_too_large_for_a_job_becomes_a_blob(void **state)
{
	scoped(mem_free_at) char *id = submit("{\"capability\":\"a\"}");
	scoped(buf_fini) struct buf body = {0};
	json_t *answer = ask(200, "POST", "/v1/claims", "{\"capabilities\":[\"a\"]}");
	json_t *claim = json_array_get(json_object_get(answer, "claims"), 0);
	buf_format(&body, "{\"fence\":%lld,\"result\":[", (long long)json_integer_value(json_object_get(claim, "fence")));
	for (int i = 0; i < JOB_RESULT_MAX_BYTES / 10; i++)
		buf_text(&body, "123456789,");
	buf_text(&body, "1,2,3]}");
	scoped(buf_fini) struct buf nowhere = {0};
	buf_format(&nowhere, "%.*s\"result\":{\"blob\":\"sha256:%064d\"}}", (int)(strchr(body.data, ',') + 1 - body.data),
		body.data, 0);
	json_decref(ask(422, "POST", claim_path(claim, "complete"), nowhere.data));
	json_decref(ask(200, "POST", claim_path(claim, "complete"), body.data));
	json_t *job = ask(200, "GET", path_of("/v1/jobs/", id, ""), "");
	const char *blob = json_string_value(json_object_get(json_object_get(job, "result"), "blob"));
	assert_non_null(blob);
	json_t *list = ask(200, "GET", path_of("/v1/blobs/", blob, ""), "");
	assert_int_equal(json_array_size(list), JOB_RESULT_MAX_BYTES / 10 + 3);
	json_decref(list);
	json_decref(job);
	json_decref(answer);
}

static void what_is_wrong_with_a_claim_is_said_with_its_place(void **state)
{
	static const struct {
		const char *path, *body, *pointer, *text;
	} cases[] = {
		{"", "{}", "\"/capabilities\"", "is missing"},
		{"", "{\"capabilities\":[]}", "\"/capabilities\"", "is empty"},
		{"", "{\"capabilities\":[\"a\",\"b c\"]}", "\"/capabilities/1\"", "must consist of"},
		{"", "{\"capabilities\":[\"a\"],\"max\":1001}", "\"/max\"", "from 1 to 1000"},
		{"", "{\"capabilities\":[\"a\"],\"lease\":\"1ms\"}", "\"/lease\"", "is not from 1s to 1d"},
		{"", "{\"capabilities\":[\"a\"],\"lese\":\"1m\"}", "\"/lese\"", "did you mean \\\"lease\\\""},
		{"", "{\"capabilities\":[\"a\"],\"client\":\"a b\"}", "\"/client\"", "client"},
		{"/0000000000001/complete", "{\"result\":1}", "\"/fence\"", "is missing"},
		{"/0000000000001/fail", "{\"fence\":1,\"error\":{}}", "\"/error/code\"", "is missing"},
		{"/0000000000001/heartbeat", "{\"fence\":-1}", "\"/fence\"", "-1 is not a whole number"},
		{"/complete", "{\"completions\":[{\"job_id\":\"x\"}]}", "\"/completions/0/job_id\"", "13 letters"},
		{"/heartbeat", "{\"claims\":[{\"job_id\":\"0000000000001\"}]}", "\"/claims/0/fence\"", "is missing"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *problem = ask(400, "POST", path_of("/v1/claims", cases[i].path, ""), cases[i].body);
		char *text = json_dumps(problem, JSON_COMPACT);
		if (!strstr(text, cases[i].text))
			fail_msg("%s gave %s", cases[i].body, text);
		expect(problem, "pointer", cases[i].pointer);
		free(text);
		json_decref(problem);
	}
	json_decref(ask(404, "POST", "/v1/claims/0000000000001/complete", "{\"fence\":1}"));
}

static void probes_say_whether_work_can_be_done(void **state)
{
	json_decref(ask(200, "GET", "/readyz", ""));
	json_decref(ask(200, "GET", "/livez", ""));
	json_decref(ask(200, "GET", "/health", ""));
	recovering = true;
	json_decref(ask(503, "GET", "/readyz", ""));
	json_decref(ask(503, "GET", "/startupz", ""));
	json_decref(ask(200, "GET", "/livez", ""));
	recovering = false;
	json_t *status = ask(200, "GET", "/status", "");
	expect(status, "node", "\"test\"");
	json_decref(status);
}

static void check_refs(json_t *root, json_t *node)
{
	const char *key;
	size_t i;
	json_t *value;
	json_object_foreach(node, key, value)
	{
		if (strcmp(key, "$ref") == 0) {
			json_t *found = root;
			scoped(mem_free_at) char *ref = mem_text(json_string_value(value));
			for (char *save, *part = strtok_r(ref + 1, "/", &save); part; part = strtok_r(NULL, "/", &save))
				found = json_object_get(found, part);
			if (!found)
				fail_msg("%s leads nowhere", json_string_value(value));
		}
		check_refs(root, value);
	}
	json_array_foreach(node, i, value) check_refs(root, value);
}

static void the_openapi_document_and_the_routes_are_the_same(void **state)
{
	json_t *document = ask(200, "GET", "/openapi.json", ""), *paths = json_object_get(document, "paths"), *path,
		   *operation;
	const char *name, *method;
	size_t routes = 0, operations = 0;
	expect(document, "openapi", "\"3.1.0\"");
	for (const struct http_route *const *table = api_routes; *table; table++) {
		for (const struct http_route *r = *table; r->method; r++) {
			routes += !r->body_types; /* else it is a variant */
			char lower[8] = "";
			for (size_t i = 0; r->method[i]; i++)
				lower[i] = (char)tolower((unsigned char)r->method[i]);
			operation = json_object_get(json_object_get(paths, r->path), lower);
			if (!operation || !json_object_get(operation, "responses") ||
				!json_string_length(json_object_get(operation, "summary")))
				fail_msg("%s %s is not in the document", r->method, r->path);
			size_t parameters = 0, i;
			json_t *parameter;
			for (const char *at = r->path; (at = strchr(at, '{')); at++)
				parameters++;
			json_array_foreach(json_object_get(operation, "parameters"), i, parameter) parameters -=
				strcmp(json_string_value(json_object_get(parameter, "in")), "path") == 0;
			assert_int_equal(parameters, 0);
		}
	}
	json_object_foreach(paths, name, path)
	{
		json_object_foreach(path, method, operation) operations++;
	}
	assert_int_equal(operations, routes); /* no route stands twice, none is in the document only */
	check_refs(document, document);
	json_decref(document);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_submitted_shown_and_its_result_waited_for),
		TEST(many_jobs_are_one_commit),
		TEST(each_line_stands_for_itself_and_is_told_what_became_of_it),
		TEST(lines_of_any_number_are_kept_and_told_in_their_order),
		TEST(a_line_that_is_too_long_is_refused_and_the_next_one_is_kept),
		TEST(lines_are_kept_before_the_body_has_ended_and_when_the_client_goes),
		TEST(a_key_in_the_header_is_not_for_lines),
		TEST(a_bad_job_is_refused_with_its_place_and_nothing_is_kept),
		TEST(a_time_to_live_counts_from_now_where_the_job_could_have_begun_long_ago),
		TEST(an_input_that_breaks_its_schema_is_422_with_the_pointer),
		TEST(an_idempotency_key_gives_the_earlier_job),
		TEST(a_full_disk_is_507_and_nothing_is_kept),
		TEST(jobs_are_cancelled_once),
		TEST(a_list_gives_every_job_once_over_its_pages_and_filters),
		TEST(a_dead_letter_is_shown_replayed_and_purged),
		TEST(all_dead_letters_of_a_capability_are_replayed_or_purged),
		TEST(a_callback_that_failed_is_listed_tried_again_and_purged),
		TEST(a_bad_callback_is_refused_with_its_place),
		TEST(a_batch_is_made_filled_closed_shown_and_its_results_paged),
		TEST(a_batch_is_cancelled_with_its_jobs),
		TEST(a_bad_batch_is_refused_with_its_place_and_nothing_is_kept),
		TEST(a_paused_queue_gives_nothing_out),
		TEST(a_schedule_is_created_shown_changed_and_removed),
		TEST(one_made_by_hand_is_shown_with_how_it_went),
		TEST(schedules_are_listed_a_page_at_a_time),
		TEST(what_is_wrong_with_a_schedule_is_said_with_its_place),
		TEST(a_rule_can_be_tried_without_making_anything),
		TEST(limits_are_replaced_changed_and_reset),
		TEST(a_full_queue_is_429_with_its_numbers),
		TEST(a_queue_says_what_holds_it_back_and_whose_jobs_wait),
		TEST(a_follower_sees_a_job_from_how_it_is_to_its_end),
		TEST(events_go_on_where_the_last_one_was),
		TEST(metrics_pass_promtool),
		TEST(a_job_is_claimed_kept_and_completed),
		TEST(many_claims_end_in_one_request_each_as_it_did),
		TEST(a_cancelled_claim_hears_of_it),
		TEST(a_result_too_large_for_a_job_becomes_a_blob),
		TEST(what_is_wrong_with_a_claim_is_said_with_its_place),
		TEST(probes_say_whether_work_can_be_done),
		TEST(the_openapi_document_and_the_routes_are_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
