/* sender_test.c - requests to a receiver on a loopback socket of the test's own. */
#include "callback/sender.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	int listener, port;
	pthread_t thread;
	pthread_mutex_t lock; /* of the next two */
	const char *answer; /* NULL: none */
	char got[8192]; /* the last request */
	struct loop *loop;
	struct allow *allow;
	struct sender *sender;
	struct loop_timer *limit;
	int status, n;
	bool refused;
	int64_t retry_after_ms;
	char error[CALLBACK_ERROR_SIZE];
};

static bool whole(const char *text)
{
	const char *length = strcasestr(text, "Content-Length: "), *body = strstr(text, "\r\n\r\n");
	return body && length && strlen(body + 4) >= strtoul(length + 16, NULL, 10);
}

static void reply(int fd, const char *answer)
{
	char junk[4096] = {'x'};
	if (!answer)
		return;
	send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	while (strstr(answer, "endless") && send(fd, junk, sizeof junk, MSG_NOSIGNAL) > 0)
		;
}

static void *serve(void *context)
{
	struct fixture *f = context;
	for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
		char got[sizeof f->got] = "";
		size_t n = 0;
		for (ssize_t more; !whole(got) && (more = recv(fd, got + n, sizeof got - 1 - n, 0)) > 0;)
			got[n += (size_t)more] = 0;
		pthread_mutex_lock(&f->lock);
		const char *answer = f->answer;
		memcpy(f->got, got, sizeof got);
		pthread_mutex_unlock(&f->lock);
		reply(fd, answer);
		close(fd);
	}
	return NULL;
}

static void set_answer(struct fixture *f, const char *answer)
{
	pthread_mutex_lock(&f->lock);
	f->answer = answer;
	pthread_mutex_unlock(&f->lock);
}

static void on_sent(void *context, struct callback_request *r)
{
	struct fixture *f = context;
	f->status = r->status;
	f->refused = r->refused;
	f->retry_after_ms = r->retry_after_ms;
	snprintf(f->error, sizeof f->error, "%s", r->error);
	f->n++;
	free(r->url);
	buf_fini(&r->body);
	free(r);
	loop_stop(f->loop);
}

static void too_late(void *context)
{
	fail_msg("no answer came back within 20 s");
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	pthread_mutex_init(&f->lock, NULL);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(f->listener, 16), 0);
	getsockname(f->listener, (struct sockaddr *)&at, &size);
	f->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	f->loop = loop_new();
	f->allow = allow_new();
	allow_add(f->allow, "127.0.0.0/8", NULL);
	struct sender_options o = {.loop = f->loop,
		.allow = f->allow,
		.secret = bytes_of("It's a Secret to Everybody"),
		.timeout_ms = 10000,
		.connections = 4,
		.context = f,
		.sent = on_sent};
	f->sender = sender_new(&o);
	f->limit = loop_timer_new(f->loop, too_late, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	sender_free(f->sender);
	loop_timer_free(f->limit);
	loop_free(f->loop);
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	allow_free(f->allow);
	free(f);
	return 0;
}

static struct callback_request *request(struct fixture *f, const char *host, const char *body)
{
	struct callback_request *r = NEW(struct callback_request);
	char url[100];
	snprintf(url, sizeof url, "http://%s:%d/hook?a=b", host, f->port);
	snprintf(r->host, sizeof r->host, "%s", host);
	snprintf(r->type, sizeof r->type, "job.completed");
	r->id = 1;
	r->attempt = 3;
	r->url = mem_text(url);
	r->headers = bytes_of("{\"Authorization\":\"Bearer x\"}");
	buf_text(&r->body, body);
	return r;
}

static void post(struct fixture *f, const char *host, const char *body)
{
	sender_send(f->sender, request(f, host, body));
	loop_timer_set(f->limit, 20000);
	loop_run(f->loop);
	loop_timer_set(f->limit, -1);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static void expect_line(struct fixture *f, const char *line)
{
	pthread_mutex_lock(&f->lock);
	if (!strstr(f->got, line))
		fail_msg("\"%s\" is not in:\n%s", line, f->got);
	pthread_mutex_unlock(&f->lock);
}

/* The signature is the one that `openssl dgst -sha256 -hmac` gives, and GitHub's documentation shows. */
static void a_request_says_whose_delivery_it_is_and_is_signed(void **state)
{
	struct fixture *f = *state;
	set_answer(f, OK);
	post(f, "127.0.0.1", "Hello, World!");
	assert_int_equal(f->status, 200);
	expect_line(f, "POST /hook?a=b HTTP/1.1\r\n");
	expect_line(f, "\r\nContent-Type: application/json\r\n");
	expect_line(f, "\r\nAuthorization: Bearer x\r\n");
	expect_line(f, "\r\nReeve-Delivery: 0000000000001\r\n");
	expect_line(f, "\r\nReeve-Attempt: 3\r\n");
	expect_line(f, "\r\nReeve-Event: job.completed\r\n");
	expect_line(f, "\r\nReeve-Signature: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n");
	expect_line(f, "\r\n\r\nHello, World!");
}

static void a_wait_that_is_asked_for_comes_back(void **state)
{
	struct fixture *f = *state;
	set_answer(f, "HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	post(f, "127.0.0.1", "{}");
	assert_int_equal(f->status, 503);
	assert_int_equal(f->retry_after_ms, 7000);
	assert_string_equal(f->error, "the receiver answered 503");
}

static void no_redirect_is_followed(void **state)
{
	struct fixture *f = *state;
	set_answer(f, "HTTP/1.1 307 There\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	post(f, "127.0.0.1", "{}");
	assert_int_equal(f->status, 307);
	assert_int_equal(f->n, 1);
	expect_line(f, "POST /hook");
}

static void an_address_that_is_not_allowed_is_not_even_connected_to(void **state)
{
	struct fixture *f = *state;
	struct allow *none = allow_new();
	set_answer(f, OK);
	sender_free(f->sender);
	struct sender_options o = {
		.loop = f->loop, .allow = none, .timeout_ms = 10000, .connections = 4, .context = f, .sent = on_sent};
	f->sender = sender_new(&o);
	post(f, "localhost", "{}"); /* a name: only its address tells */
	assert_int_equal(f->status, 0);
	assert_true(f->refused);
	if (!strstr(f->error, "127.0.0.1") && !strstr(f->error, "::1"))
		fail_msg("\"%s\" names no address", f->error);
	expect_line(f, "");
	assert_int_equal(f->got[0], 0); /* nobody connected */
	sender_free(f->sender);
	f->sender = NULL;
	allow_free(none);
}

static void a_receiver_that_hangs_up_or_is_not_there_is_told_with_why(void **state)
{
	struct fixture *f = *state;
	post(f, "127.0.0.1", "{}");
	assert_int_equal(f->status, 0);
	assert_false(f->refused);
	assert_true(f->error[0]);
	f->port = 1;
	post(f, "127.0.0.1", "{}");
	assert_int_equal(f->status, 0);
	assert_true(f->error[0]);
}

static void an_answer_without_an_end_is_cut_off(void **state)
{
	struct fixture *f = *state;
	set_answer(f, "HTTP/1.1 200 endless\r\nConnection: close\r\n\r\n");
	post(f, "127.0.0.1", "{}");
	assert_int_equal(f->status, 200);
}

static void what_is_under_way_at_the_end_is_freed(void **state)
{
	struct fixture *f = *state;
	set_answer(f, OK);
	for (int i = 0; i < 50; i++) {
		struct in_flight { /* as callback_request_free expects it */
			struct callback_request request;
			struct buf head;
		} *g = NEW(struct in_flight);
		struct callback_request *r = request(f, "127.0.0.1", "{}");
		g->request = *r;
		free(r);
		sender_send(f->sender, &g->request);
	}
	sender_free(f->sender);
	f->sender = NULL;
	loop_timer_free(f->limit);
	loop_free(f->loop); /* here they come back */
	assert_int_equal(f->n, 0);
	f->loop = loop_new();
	f->limit = loop_timer_new(f->loop, too_late, f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_says_whose_delivery_it_is_and_is_signed),
		TEST(a_wait_that_is_asked_for_comes_back),
		TEST(no_redirect_is_followed),
		TEST(an_address_that_is_not_allowed_is_not_even_connected_to),
		TEST(a_receiver_that_hangs_up_or_is_not_there_is_told_with_why),
		TEST(an_answer_without_an_end_is_cut_off),
		TEST(what_is_under_way_at_the_end_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
