/* client_test.c - calls of our own to a server of our own, over its Unix socket. */
#include "http/client.h"
#include "http/http.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	char path[64];
	struct loop *loop;
	struct http_server *server;
	struct http_client *client;
	struct loop_timer *limit;
	struct http_request *held; /* a request that is not answered */
	int done;
};

static void echo(void *context, struct http_request *r)
{
	scoped(buf_fini) struct buf out = {0};
	buf_format(&out, "%.*s|%.*s", (int)http_header(r, "X-Mine").size, http_header(r, "X-Mine").data,
		(int)http_body(r).size, http_body(r).data);
	http_reply(r, 200, "text/plain", buf_bytes(&out));
}

static void hold(void *context, struct http_request *r)
{
	((struct fixture *)context)->held = r;
	loop_stop(((struct fixture *)context)->loop);
}

static const struct http_route routes[] = {{.method = "GET", .path = "/echo", .handle = echo},
	{.method = "POST", .path = "/echo", .handle = echo, .body_max = 100},
	{.method = "GET", .path = "/hold", .handle = hold}, {0}};
static const struct http_route *const tables[] = {routes, NULL};

static void too_late(void *context)
{
	fail_msg("nothing came back within 20 s");
}

static int setup(void **state)
{
	struct fixture *f = NEW(struct fixture);
	struct err e;
	snprintf(f->path, sizeof f->path, "/tmp/reeve-client-test-%d", (int)getpid());
	f->loop = loop_new();
	struct http_options o = {.unix_path = f->path, .routes = tables, .context = f};
	if (http_server_open(f->loop, &o, &f->server, &e) != E_OK)
		fail_msg("%s", e.text);
	f->client = http_client_new(&(struct http_client_options){.loop = f->loop});
	f->limit = loop_timer_new(f->loop, too_late, f);
	loop_timer_set(f->limit, 20000);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	http_client_free(f->client);
	http_server_close(f->server);
	loop_timer_free(f->limit);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void on_done(void *context, struct http_call *c)
{
	struct fixture *f = context;
	f->done++;
	loop_stop(f->loop);
}

static struct http_call call_of(struct fixture *f, const char *url)
{
	return (struct http_call){.method = "GET",
		.url = url,
		.unix_path = f->path,
		.timeout_ms = 10000,
		.answer_max = 4096,
		.keep_answer = true,
		.context = f,
		.done = on_done};
}

static void a_call_over_a_unix_socket_brings_status_and_body(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_of(f, "http://any/echo");
	buf_text(&c.headers, "X-Mine: yes\n");
	http_client_call(f->client, &c);
	loop_run(f->loop);
	assert_int_equal(c.status, 200);
	assert_true(bytes_equal(buf_bytes(&c.answer), bytes_of("yes|")));
	assert_string_equal(c.error, "");
	http_call_fini(&c);

	c = call_of(f, "http://any/echo");
	c.method = "POST";
	c.body = bytes_of("a body");
	http_client_call(f->client, &c);
	loop_run(f->loop);
	assert_true(bytes_equal(buf_bytes(&c.answer), bytes_of("|a body")));
	http_call_fini(&c);

	c = call_of(f, "http://any/nothing");
	http_client_call(f->client, &c);
	loop_run(f->loop);
	assert_int_equal(c.status, 404);
	http_call_fini(&c);
}

static void a_long_answer_is_cut_and_its_status_counts(void **state)
{
	struct fixture *f = *state;
	char body[100];
	struct http_call c = call_of(f, "http://any/echo");
	memset(body, 'a', sizeof body);
	c.method = "POST";
	c.body = (struct bytes){body, sizeof body};
	c.answer_max = 150; /* less than headers and body */
	http_client_call(f->client, &c);
	loop_run(f->loop);
	assert_int_equal(c.status, 200);
	assert_true(c.answer.size < sizeof body);
	http_call_fini(&c);
}

static void nobody_there_and_a_time_that_runs_out_are_told_with_why(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_of(f, "http://any/echo");
	c.unix_path = "/nonexistent/socket";
	http_client_call(f->client, &c);
	loop_run(f->loop);
	assert_int_equal(c.status, 0);
	assert_true(c.error[0]);
	http_call_fini(&c);

	c = call_of(f, "http://any/hold");
	c.timeout_ms = 100;
	http_client_call(f->client, &c);
	while (!f->held || f->done < 2)
		loop_run(f->loop);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.error, "timed out"));
	http_call_fini(&c);
}

static void a_call_that_is_cancelled_comes_back_soon(void **state)
{
	struct fixture *f = *state;
	struct http_call c = call_of(f, "http://any/hold");
	http_client_call(f->client, &c);
	loop_run(f->loop); /* it has reached the server */
	http_client_cancel(f->client, &c);
	loop_run(f->loop);
	assert_int_equal(f->done, 1);
	assert_int_equal(c.status, 0);
	assert_string_equal(c.error, "the call was cancelled");
	http_call_fini(&c);
}

static void what_is_under_way_at_the_end_comes_back_by_the_loop(void **state)
{
	struct fixture *f = *state;
	struct http_call c[8];
	for (int i = 0; i < 8; i++) {
		c[i] = call_of(f, "http://any/hold");
		http_client_call(f->client, &c[i]);
	}
	http_client_free(f->client);
	f->client = NULL;
	while (f->done < 8)
		loop_run(f->loop);
	for (int i = 0; i < 8; i++)
		http_call_fini(&c[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_over_a_unix_socket_brings_status_and_body),
		TEST(a_long_answer_is_cut_and_its_status_counts),
		TEST(nobody_there_and_a_time_that_runs_out_are_told_with_why),
		TEST(a_call_that_is_cancelled_comes_back_soon),
		TEST(what_is_under_way_at_the_end_comes_back_by_the_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
