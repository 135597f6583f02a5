/* client_test.c - libreeve's client against the daemon's socket for clients: both ends as they ship, on two threads.
 *
 * The handlers play the queue: job n is id n; a capability's name says what becomes of it. */
#include "base/mem.h"
#include "link/client_session.h"
#include "loop/loop.h"
#include "wire/frame.h"
#include "wire/id.h"
#include "wire/message.h"

#include <pthread.h>
#include <reeve/client.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
	char directory[64], socket[96];
	bool stopped;
	pthread_t thread;
	struct loop *loop;
	struct link_clients *clients;
	struct message stop;
	struct link_request *forever; /* waits for a job that never ends */
	uint64_t ids;
	struct reeve_client *c;
	struct job_spec last; /* that was submitted; its texts are gone */
	char unique_key[16], key[16], callback[64];
	enum link_batch batch_verb;
	char batch_json[64];
	struct message_control control; /* the last; its names are gone */
	char control_names[64];
	struct link_request *late; /* is answered when the socket is closed already, as by a store that closes */
} t;

/* ── the daemon ── */

static void on_submit(void *context, struct link_request *r, const struct job_spec *specs, size_t n)
{
	uint64_t *ids;
	struct err e;
	if (bytes_equal(specs[0].capability, bytes_of("queue.full"))) {
		err_set(&e, E_LIMIT, "the queue is full");
		link_refused(r, &e);
		return;
	}
	t.last = specs[n - 1];
	snprintf(t.unique_key, sizeof t.unique_key, "%.*s", (int)t.last.unique.key.size, t.last.unique.key.data);
	snprintf(t.callback, sizeof t.callback, "%.*s", (int)t.last.callback.size, t.last.callback.data);
	snprintf(t.key, sizeof t.key, "%.*s", (int)t.last.key.size, t.last.key.data);
	ids = mem_new(n * sizeof *ids);
	bool *existing = mem_new(n * sizeof *existing);
	for (size_t i = 0; i < n; i++) {
		ids[i] = ++t.ids;
		existing[i] = specs[i].unique.states != 0;
	}
	link_submitted(r, ids, existing, n);
	free(existing);
	free(ids);
}

static void on_wait(void *context, struct link_request *r, uint64_t id, int64_t timeout_ms)
{
	static const struct job_error failed = {"NO", "it failed", 1};
	struct link_outcome o = {.id = id, .state = JOB_COMPLETED, .result = bytes_of("{\"ok\":true}")};
	if (id == 1000000) {
		t.forever = r;
		return;
	}
	if (id % 7 == 0)
		o = (struct link_outcome){.id = id, .state = JOB_FAILED, .error = &failed};
	link_ended(r, &o);
}

static void on_show(void *context, struct link_request *r, uint64_t id)
{
	struct err e;
	if (id > t.ids) {
		err_set(&e, E_NOT_FOUND, "there is no job %llu", (unsigned long long)id);
		link_refused(r, &e);
		return;
	}
	link_shown(r, bytes_of("{\"id\":1}"));
}

static void on_call(void *context, struct link_request *r, struct bytes namespace, struct bytes capability,
	struct bytes input, int64_t timeout_ms)
{
	static const struct job_error none = {"not_found", "nobody offers it", 0};
	link_called(r, input, bytes_equal(capability, bytes_of("echo.me")) ? NULL : &none);
}

static void on_batch(
	void *context, struct link_request *r, enum link_batch what, uint64_t id, int64_t timeout_ms, struct bytes json)
{
	struct err e;
	scoped(buf_fini) struct buf out = {0};
	t.batch_verb = what;
	snprintf(t.batch_json, sizeof t.batch_json, "%.*s", (int)json.size, json.data);
	if (id == 9) {
		err_set(&e, E_STATE, "batch 9: is over");
		link_refused(r, &e);
		return;
	}
	buf_format(&out, "{\"batch_id\":\"%013d\",\"timeout\":%d}", (int)(id ? id : 7), (int)timeout_ms);
	link_shown(r, buf_bytes(&out));
}

static void on_control(void *context, struct link_request *r, const struct message_control *what)
{
	struct err e;
	t.control = *what;
	snprintf(t.control_names, sizeof t.control_names, "%.*s/%.*s", (int)what->namespace.size, what->namespace.data,
		(int)what->capability.size, what->capability.data);
	if (what->job == 8) {
		__atomic_store_n(&t.late, r, __ATOMIC_RELEASE);
	} else if (what->job == 9) {
		err_set(&e, E_STATE, "job 9: is over");
		link_refused(r, &e);
	} else {
		link_controlled(r);
	}
}

static void on_gone(void *context, struct link_request *r)
{
	struct link_outcome o = {.id = 1000000, .state = JOB_PROCESSING};
	if (r == t.late) /* it is answered all the same */
		return;
	t.forever = NULL;
	link_ended(r, &o);
}

static void on_stop(struct message *m)
{
	link_clients_close(t.clients);
	if (t.late)
		link_controlled(t.late);
	loop_stop(t.loop);
}

static void *daemon_thread(void *loop)
{
	loop_run(loop);
	return NULL;
}

static int begin(void **state)
{
	struct link_client_handlers h = {NULL, on_submit, on_wait, on_show, on_call, on_batch, on_control, on_gone};
	struct err e;
	memset(&t, 0, sizeof t);
	strcpy(t.directory, "/tmp/reeve-client-XXXXXX");
	assert_non_null(mkdtemp(t.directory));
	snprintf(t.socket, sizeof t.socket, "%s/link", t.directory);
	t.loop = loop_new();
	if (link_clients_open(t.loop, t.socket, "test", &h, &t.clients, &e) != E_OK)
		fail_msg("%s", e.text);
	assert_int_equal(pthread_create(&t.thread, NULL, daemon_thread, t.loop), 0);
	assert_int_equal(reeve_client_open(t.socket, &t.c), REEVE_OK);
	return 0;
}

static int end(void **state)
{
	reeve_client_close(t.c);
	if (!t.stopped) {
		t.stop.run = on_stop;
		loop_post(t.loop, &t.stop);
		pthread_join(t.thread, NULL);
	}
	loop_free(t.loop);
	unlink(t.socket);
	return rmdir(t.directory);
}

static struct reeve_job_spec spec_of(const char *capability)
{
	struct reeve_job_spec s = REEVE_JOB_SPEC_INIT;
	s.capability = capability;
	s.input = "{\"n\":1}";
	s.input_size = 7;
	return s;
}

/* ── the tests ── */

static void one_job_and_many_are_submitted(void **state)
{
	struct reeve_job_spec specs[100];
	char ids[100][REEVE_ID_SIZE];
	uint64_t id;
	for (int i = 0; i < 100; i++)
		specs[i] = spec_of("email.parse");
	assert_int_equal(reeve_client_submit(t.c, specs, 1, ids), REEVE_OK);
	assert_int_equal(id_parse(ids[0], 13, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(reeve_client_submit(t.c, specs, 100, ids), REEVE_OK);
	assert_int_equal(id_parse(ids[99], 13, &id), 0);
	assert_int_equal(id, 101);
}

static void a_job_has_its_key_and_one_of_an_older_program_has_none(void **state)
{
	struct reeve_job_spec s = spec_of("email.parse");
	char id[REEVE_ID_SIZE];
	s.key = "acme";
	assert_int_equal(reeve_client_submit(t.c, &s, 1, &id), REEVE_OK);
	assert_string_equal(t.key, "acme");
	s.size = offsetof(struct reeve_job_spec, key);
	assert_int_equal(reeve_client_submit(t.c, &s, 1, &id), REEVE_OK);
	assert_string_equal(t.key, "");
}

static void a_refusal_says_why_and_the_client_goes_on(void **state)
{
	struct reeve_job_spec full = spec_of("queue.full"), bad = spec_of("email.parse");
	char id[REEVE_ID_SIZE];
	assert_int_equal(reeve_client_submit(t.c, &full, 1, &id), REEVE_E_AGAIN);
	assert_string_equal(reeve_client_error(t.c), "the queue is full");
	bad.priority = 12;
	assert_int_equal(reeve_client_submit(t.c, &bad, 1, &id), REEVE_E_INVALID);
	bad = spec_of("");
	assert_int_equal(reeve_client_submit(t.c, &bad, 1, &id), REEVE_E_INVALID);
	assert_int_equal(
		reeve_client_wait(t.c, "not-an-id", 0, &(struct reeve_outcome){.size = sizeof(struct reeve_outcome)}),
		REEVE_E_INVALID);
	bad = spec_of("email.parse");
	assert_int_equal(reeve_client_submit(t.c, &bad, 1, &id), REEVE_OK);
}

static void an_outcome_has_a_result_or_an_error(void **state)
{
	struct reeve_outcome o = {.size = sizeof o};
	char id[ID_TEXT_SIZE];
	id_format(1, id);
	assert_int_equal(reeve_client_wait(t.c, id, -1, &o), REEVE_OK);
	assert_string_equal(o.state, "completed");
	assert_string_equal(o.result.data, "{\"ok\":true}"); /* a NUL follows */
	id_format(7, id);
	assert_int_equal(reeve_client_wait(t.c, id, -1, &o), REEVE_OK);
	assert_string_equal(o.state, "failed");
	assert_memory_equal(o.code.data, "NO", 2);
	assert_int_equal(o.retryable, 1);
}

static void a_job_is_shown_or_not_found(void **state)
{
	struct reeve_job_spec s = spec_of("email.parse");
	struct reeve_bytes json;
	char id[REEVE_ID_SIZE];
	reeve_client_submit(t.c, &s, 1, &id);
	assert_int_equal(reeve_client_show(t.c, id, &json), REEVE_OK);
	assert_memory_equal(json.data, "{\"id\":1}", json.size);
	id_format(5000, id);
	assert_int_equal(reeve_client_show(t.c, id, &json), REEVE_E_NOT_FOUND);
}

static void a_capability_is_invoked(void **state)
{
	struct reeve_outcome o = {.size = sizeof o};
	assert_int_equal(reeve_client_invoke(t.c, "echo.me", NULL, "[1]", 3, 0, &o), REEVE_OK);
	assert_memory_equal(o.result.data, "[1]", 3);
	assert_int_equal(reeve_client_invoke(t.c, "other", NULL, "[1]", 3, 0, &o), REEVE_E_REMOTE);
	assert_memory_equal(o.code.data, "not_found", 9);
}

static void a_window_of_jobs_is_outstanding_and_each_ends_once(void **state)
{
	struct reeve_job_spec s = spec_of("email.parse");
	struct reeve_answer a = {.size = sizeof a};
	unsigned submitted = 0, over = 0, sent = 0;
	uint64_t ticket;
	while (over < 5000) {
		for (; sent < 5000 && sent < over + 64; sent++)
			assert_int_equal(reeve_client_send(t.c, &s, REEVE_SEND_WAIT, &ticket), REEVE_OK);
		assert_int_equal(reeve_client_next(t.c, -1, &a), REEVE_OK);
		assert_int_equal(a.code, REEVE_OK);
		a.over ? over++ : submitted++;
	}
	assert_int_equal(submitted, 5000);
	assert_int_equal(reeve_client_next(t.c, 0, &a), REEVE_E_STATE);
}

static void a_refused_job_gets_one_answer(void **state)
{
	struct reeve_job_spec s = spec_of("queue.full");
	struct reeve_answer a = {.size = sizeof a};
	uint64_t ticket;
	assert_int_equal(reeve_client_send(t.c, &s, REEVE_SEND_WAIT, &ticket), REEVE_OK);
	assert_int_equal(reeve_client_next(t.c, -1, &a), REEVE_OK);
	assert_int_equal(a.code, REEVE_E_AGAIN);
	assert_true(a.ticket == ticket && a.over);
	assert_int_equal(reeve_client_next(t.c, 0, &a), REEVE_E_STATE);
}

static void a_wait_ends_with_its_client(void **state)
{
	struct reeve_job_spec s = spec_of("email.parse");
	struct reeve_answer a = {.size = sizeof a};
	struct reeve_client *other;
	uint64_t ticket;
	t.ids = 999999;
	assert_int_equal(reeve_client_send(t.c, &s, REEVE_SEND_WAIT, &ticket), REEVE_OK);
	assert_int_equal(reeve_client_next(t.c, -1, &a), REEVE_OK);
	assert_int_equal(reeve_client_next(t.c, 20, &a), REEVE_PENDING);
	reeve_client_close(
		t.c); /* gone() is told, and on_gone() answers: the address sanitizer sees whether both sides let go */
	t.c = NULL;
	assert_int_equal(reeve_client_open(t.socket, &other), REEVE_OK);
	reeve_client_close(other);
}

static void without_a_daemon_the_error_names_the_socket(void **state)
{
	struct reeve_client *c;
	assert_int_equal(reeve_client_open("/nowhere/at/all", &c), REEVE_E_AGAIN);
	assert_non_null(strstr(reeve_client_error(c), "/nowhere/at/all"));
	reeve_client_close(c);
}

/* What bytes that no client sends are answered with: the ERROR's text, after the preface and perhaps a WELCOME. */
static void expect_error(const void *bytes, size_t size, const char *expected)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char answer[4096];
	size_t got = 0;
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, t.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(write(fd, bytes, size), size);
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, answer + got, sizeof answer - 1 - got)) > 0)
		got += (size_t)n;
	close(fd);
	for (size_t i = 0; i < got; i++)
		if (!answer[i])
			answer[i] = ' ';
	answer[got] = 0;
	if (!strstr(answer, expected))
		fail_msg("expected \"%s\" in: %s", expected, answer);
}

static void what_is_no_link_is_told_so(void **state)
{
	char bytes[FRAME_PREFACE + FRAME_HEADER + 64] = {0}, *frame = bytes + FRAME_PREFACE;
	expect_error("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "does not speak the link");
	frame_put_preface(bytes, 0);
	bytes[6] = 9;
	expect_error(bytes, FRAME_PREFACE, "another major version");
	frame_put_preface(bytes, 0);
	frame_put(frame, &(struct frame){.size = FRAME_PAYLOAD_MAX + 1, .type = FRAME_HELLO});
	expect_error(bytes, sizeof bytes, "longer than 64 KiB");
	frame_put(frame, &(struct frame){.type = 250});
	expect_error(bytes, FRAME_PREFACE + FRAME_HEADER, "type is not known");
	frame_put(frame, &(struct frame){.type = FRAME_WAIT});
	expect_error(bytes, FRAME_PREFACE + FRAME_HEADER, "the first frame must be HELLO");
	frame_put(frame, &(struct frame){.type = FRAME_HELLO, .descriptors = 1});
	expect_error(bytes, FRAME_PREFACE + FRAME_HEADER, "descriptor that did not come");
	frame_put(frame, &(struct frame){.type = FRAME_HELLO});
	frame_put(frame + FRAME_HEADER, &(struct frame){.type = FRAME_SUBMIT, .size = 8});
	expect_error(bytes, FRAME_PREFACE + 2 * FRAME_HEADER + 8, "1 to 10000");
	frame_put(frame + FRAME_HEADER, &(struct frame){.type = FRAME_CONTROL, .size = 8});
	expect_error(bytes, FRAME_PREFACE + 2 * FRAME_HEADER + 8, "CONTROL is malformed");
	frame_put(frame + FRAME_HEADER, &(struct frame){.type = FRAME_JOB});
	expect_error(bytes, FRAME_PREFACE + 2 * FRAME_HEADER, "a client may not send");
}

static void an_unknown_frame_that_may_be_ignored_is_ignored(void **state)
{
	char bytes[FRAME_PREFACE + 3 * FRAME_HEADER] = {0}, *frame = bytes + FRAME_PREFACE;
	frame_put_preface(bytes, 0);
	frame_put(frame, &(struct frame){.type = FRAME_HELLO});
	frame_put(frame + FRAME_HEADER, &(struct frame){.type = 250, .flags = FRAME_IGNORABLE});
	frame_put(frame + 2 * FRAME_HEADER, &(struct frame){.type = FRAME_SHOW});
	expect_error(bytes, sizeof bytes, "a question about a job is malformed");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void what_few_jobs_have_arrives_and_who_was_there_is_told(void **state)
{
	struct reeve_job_spec specs[2] = {REEVE_JOB_SPEC_INIT, REEVE_JOB_SPEC_INIT};
	char ids[2][REEVE_ID_SIZE];
	specs[0].capability = specs[1].capability = "echo.me";
	specs[1].deadline_ms = 1795319100000;
	specs[1].retry_delay_ms = 10;
	specs[1].retry_cap_ms = 20;
	specs[1].unique = REEVE_NOT_OVER | REEVE_IN_COMPLETED;
	specs[1].unique_key = "nightly";
	specs[1].unique_period_ms = 60000;
	assert_int_equal(reeve_client_submit(t.c, specs, 2, ids), REEVE_OK);
	assert_true(t.last.deadline_ms == 1795319100000 && t.last.retry_delay_ms == 10 && t.last.retry_cap_ms == 20);
	assert_int_equal(t.last.unique.states, JOB_UNIQUE_WAITING_OR_RUNNING | 1u << JOB_COMPLETED);
	assert_int_equal(t.last.unique.period_ms, 60000);
	assert_string_equal(t.unique_key, "nightly");
	assert_int_equal(reeve_client_existing(t.c, 0), 0);
	assert_int_equal(reeve_client_existing(t.c, 1), 1);
	specs[1].unique_period_ms = 0; /* a job that is over holds a key for a period only */
	assert_int_equal(reeve_client_submit(t.c, specs, 2, ids), REEVE_E_INVALID);
	assert_non_null(strstr(reeve_client_error(t.c), "period"));
}

static void a_batch_is_opened_filled_closed_waited_for_and_cancelled(void **state)
{
	struct reeve_job_spec spec = REEVE_JOB_SPEC_INIT;
	struct reeve_bytes json;
	char id[REEVE_ID_SIZE], job[REEVE_ID_SIZE];
	assert_int_equal(reeve_client_batch_open(t.c, "{\"name\":\"n\"}", id), REEVE_OK);
	assert_string_equal(id, "0000000000007");
	assert_int_equal(t.batch_verb, LINK_BATCH_OPEN);
	assert_string_equal(t.batch_json, "{\"name\":\"n\"}");
	spec.capability = "some.thing";
	spec.batch = id;
	spec.callback = "{\"url\":\"http://h/\"}";
	assert_int_equal(reeve_client_submit(t.c, &spec, 1, &job), REEVE_OK);
	assert_int_equal(t.last.batch_id, 7);
	assert_string_equal(t.callback, spec.callback);
	assert_int_equal(reeve_client_batch_close(t.c, id, &json), REEVE_OK);
	assert_int_equal(t.batch_verb, LINK_BATCH_CLOSE);
	assert_int_equal(reeve_client_batch_wait(t.c, id, 42, &json), REEVE_OK);
	assert_int_equal(t.batch_verb, LINK_BATCH_WAIT);
	assert_string_equal(json.data, "{\"batch_id\":\"0000000000007\",\"timeout\":42}");
	assert_int_equal(reeve_client_batch_cancel(t.c, "0000000000009", &json), REEVE_E_STATE);
	assert_non_null(strstr(reeve_client_error(t.c), "is over"));
	assert_int_equal(reeve_client_batch_close(t.c, "nine", &json), REEVE_E_INVALID);
	spec.batch = "nine";
	assert_int_equal(reeve_client_submit(t.c, &spec, 1, &job), REEVE_E_INVALID);
	assert_non_null(strstr(reeve_client_error(t.c), "nine"));
}

static void a_job_a_dead_letter_and_a_queue_are_changed(void **state)
{
	assert_int_equal(reeve_client_cancel(t.c, "0000000000007"), REEVE_OK);
	assert_true(t.control.operation == MESSAGE_CANCEL && t.control.job == 7);
	assert_int_equal(reeve_client_move(t.c, "0000000000007", "other.thing", NULL, -1), REEVE_OK);
	assert_true(t.control.operation == MESSAGE_MOVE && t.control.job == 7 && t.control.priority == -1);
	assert_string_equal(t.control_names, "/other.thing");
	assert_int_equal(reeve_client_move(t.c, "0000000000007", NULL, "lab", 9), REEVE_OK);
	assert_int_equal(t.control.priority, 9);
	assert_string_equal(t.control_names, "lab/");
	assert_int_equal(reeve_client_replay(t.c, "0000000000007"), REEVE_OK);
	assert_int_equal(t.control.operation, MESSAGE_REPLAY);
	assert_int_equal(reeve_client_purge(t.c, "0000000000007"), REEVE_OK);
	assert_int_equal(t.control.operation, MESSAGE_PURGE);
	assert_int_equal(reeve_client_pause(t.c, "some.thing", "lab"), REEVE_OK);
	assert_true(t.control.operation == MESSAGE_PAUSE && t.control.job == 0);
	assert_string_equal(t.control_names, "lab/some.thing");
	assert_int_equal(reeve_client_resume(t.c, "some.thing", NULL), REEVE_OK);
	assert_int_equal(t.control.operation, MESSAGE_RESUME);
	assert_string_equal(t.control_names, "/some.thing");
}

static void a_change_that_cannot_be_is_refused_and_the_client_goes_on(void **state)
{
	char long_name[200] = {0};
	memset(long_name, 'a', sizeof long_name - 1);
	assert_int_equal(reeve_client_cancel(t.c, "0000000000009"), REEVE_E_STATE);
	assert_string_equal(reeve_client_error(t.c), "job 9: is over");
	assert_int_equal(reeve_client_purge(t.c, "nine"), REEVE_E_INVALID);
	assert_int_equal(reeve_client_replay(t.c, NULL), REEVE_E_INVALID);
	assert_int_equal(reeve_client_move(t.c, "0000000000007", NULL, NULL, 265), REEVE_E_INVALID);
	assert_non_null(strstr(reeve_client_error(t.c), "265"));
	assert_int_equal(reeve_client_pause(t.c, long_name, NULL), REEVE_E_INVALID);
	assert_int_equal(reeve_client_cancel(t.c, "0000000000007"), REEVE_OK);
	assert_int_equal(reeve_client_cancel(NULL, "0000000000007"), REEVE_E_INVALID);
}

static void *cancel_late(void *client)
{
	return (void *)(intptr_t)reeve_client_cancel(client, "0000000000008");
}

/* The address sanitizer sees whether what the answer needs is still there. */
static void a_change_that_is_under_way_when_the_daemon_ends_is_answered_to_nobody(void **state)
{
	pthread_t thread;
	void *code;
	assert_int_equal(pthread_create(&thread, NULL, cancel_late, t.c), 0);
	while (!__atomic_load_n(&t.late, __ATOMIC_ACQUIRE))
		sched_yield();
	t.stop.run = on_stop;
	loop_post(t.loop, &t.stop);
	pthread_join(thread, &code);
	assert_int_equal((intptr_t)code, REEVE_E_AGAIN);
	pthread_join(t.thread, NULL);
	t.stopped = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_job_and_many_are_submitted),
		TEST(what_few_jobs_have_arrives_and_who_was_there_is_told),
		TEST(a_job_has_its_key_and_one_of_an_older_program_has_none),
		TEST(a_refusal_says_why_and_the_client_goes_on),
		TEST(an_outcome_has_a_result_or_an_error),
		TEST(a_job_is_shown_or_not_found),
		TEST(a_batch_is_opened_filled_closed_waited_for_and_cancelled),
		TEST(a_job_a_dead_letter_and_a_queue_are_changed),
		TEST(a_change_that_cannot_be_is_refused_and_the_client_goes_on),
		TEST(a_change_that_is_under_way_when_the_daemon_ends_is_answered_to_nobody),
		TEST(a_capability_is_invoked),
		TEST(a_window_of_jobs_is_outstanding_and_each_ends_once),
		TEST(a_refused_job_gets_one_answer),
		TEST(a_wait_ends_with_its_client),
		TEST(without_a_daemon_the_error_names_the_socket),
		TEST(what_is_no_link_is_told_so),
		TEST(an_unknown_frame_that_may_be_ignored_is_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
