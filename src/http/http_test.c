/* http_test.c - over a real Unix socket: client and server turn on one loop. */
#include "http/http.h"

#include "base/mem.h"

#include <poll.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static struct loop *loop;
static struct http_server *server;
static char path[64];
static struct http_request *kept;
static int gone_n, handled_n;
static size_t streamed;
static bool pause_next, refuse_stream;

/* ── the server under test ── */

static void echo(void *context, struct http_request *r)
{
	handled_n++;
	http_reply(r, 200, "text/plain", http_body(r));
}

static void show(void *context, struct http_request *r)
{
	scoped(buf_fini) struct buf b = {0};
	struct bytes id = http_param(r, "id"), q = http_query(r, "q");
	buf_format(&b, "id=%s q=%s uid=%d", id.data, q.data ? q.data : "(none)", http_peer_uid(r) == (int)getuid());
	http_add_header(r, "X-Test", "yes");
	http_reply_buf(r, 200, "text/plain", &b);
}

static void on_gone(void *data)
{
	gone_n++;
	kept = NULL;
}

static void keep(void *context, struct http_request *r)
{
	kept = r;
	http_set_data(r, &kept, on_gone);
}

static void events(void *context, struct http_request *r)
{
	keep(context, r);
	http_stream_open(r, 200, "text/event-stream");
}

static bool piece(void *context, struct http_request *r, struct bytes data)
{
	streamed += data.size;
	if (refuse_stream) {
		struct err e;
		err_set(&e, E_NO_SPACE, "the disk is full");
		http_problem(r, &e);
		return false;
	}
	kept = r;
	return !pause_next;
}

static void piece_end(void *context, struct http_request *r)
{
	scoped(buf_fini) struct buf b = {0};
	buf_format(&b, "%zu bytes", streamed);
	http_reply_buf(r, 201, "text/plain", &b);
}

static void fail_limited(void *context, struct http_request *r)
{
	struct err e;
	err_set(&e, E_LIMIT, "too many jobs wait: \"%s\"", "\xff");
	http_problem(r, &e);
}

static int file_fd;
static uint64_t file_size;

static void send_it(void *context, struct http_request *r)
{
	http_reply_fd(r, 200, "application/octet-stream", dup(file_fd), file_size);
}

static const struct http_route first[] = {
	{"POST", "/echo", 100, echo, NULL, "Say it again", NULL},
	{"GET", "/things/{id}", 0, show, NULL, "Show", NULL},
	{"DELETE", "/things/{id}", 0, show, NULL, "Remove", NULL},
	{NULL},
};
static const struct http_route second[] = {
	{"GET", "/file", 0, send_it, NULL, "Download", NULL},
	{"GET", "/later", 0, keep, NULL, "Answer later", NULL},
	{"GET", "/events", 0, events, NULL, "Follow", NULL},
	{"POST", "/stream", 0, piece_end, piece, "Upload", NULL},
	{"GET", "/limited", 0, fail_limited, NULL, "Refuse", NULL},
	{NULL},
};
static const struct http_route *const tables[] = {first, second, NULL};

static int open_server(void **state)
{
	loop = loop_new();
	snprintf(path, sizeof path, "/tmp/reeve-http-test-%d.sock", (int)getpid());
	struct http_options o = {.unix_path = path, .routes = tables, .body_timeout_ms = 1000, .bodies_max = 150};
	struct err e;
	if (http_server_open(loop, &o, &server, &e) != E_OK)
		fail_msg("%s", e.text);
	kept = NULL;
	gone_n = handled_n = 0;
	streamed = 0;
	pause_next = refuse_stream = false;
	return 0;
}

static int close_server(void **state)
{
	http_server_close(server);
	loop_free(loop);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

/* ── the client ── */

struct client {
	int fd;
	struct buf in;
	bool ended;
};

static void turn(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	poll(&p, 1, 1);
}

static struct client client_open(void)
{
	struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, path);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&a, sizeof a), 0);
	return c;
}

static void client_send(struct client *c, const char *text)
{
	for (size_t at = 0, size = strlen(text); at < size;) {
		ssize_t n = send(c->fd, text + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			at += (size_t)n;
		else
			turn(c->fd);
	}
}

static void client_receive(struct client *c)
{
	char data[4096];
	ssize_t n;
	turn(c->fd);
	while ((n = recv(c->fd, data, sizeof data, MSG_DONTWAIT)) > 0)
		buf_add(&c->in, data, (size_t)n);
	c->ended |= n == 0;
}

/* Until `text` has come n times; fails after 10 s. */
static void client_expect_times(struct client *c, const char *text, int times)
{
	for (int i = 0; i < 10000; i++) {
		int n = 0;
		for (const char *at = c->in.data; at && (at = strstr(at, text)); at++)
			n++;
		if (n >= times)
			return;
		client_receive(c);
	}
	fail_msg("expected %s, got: %s", text, c->in.data);
}

static void client_expect(struct client *c, const char *text)
{
	client_expect_times(c, text, 1);
}

static void client_expect_end(struct client *c)
{
	for (int i = 0; i < 10000 && !c->ended; i++)
		client_receive(c);
	assert_true(c->ended);
}

static void client_close(struct client *c)
{
	close(c->fd);
	buf_fini(&c->in);
}

static void wait_until(const int *value, int wanted)
{
	for (int i = 0; i < 10000 && *value != wanted; i++)
		turn(-1);
	assert_int_equal(*value, wanted);
}

static void wait_kept(void)
{
	for (int i = 0; i < 10000 && !kept; i++)
		turn(-1);
	assert_non_null(kept);
}

/* ── the tests ── */

static void a_request_is_answered_and_the_connection_goes_on(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	client_expect(&c, "\r\n\r\nhello");
	buf_clear(&c.in);
	client_send(&c, "GET /things/a%2Fb%C3%A9?x=1&q=two+words%21 HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&c, "id=a/b\xc3\xa9 q=two words! uid=1");
	client_expect(&c, "X-Test: yes");
	client_close(&c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct client c = client_open();
	client_send(&c,
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\noneGET /later HTTP/1.1\r\nHost: x\r\n\r\n"
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nthree");
	client_expect(&c, "\r\n\r\none");
	wait_kept();
	assert_int_equal(handled_n, 1);
	http_reply_json(kept, 200, bytes_of("\"two\""));
	client_expect(&c, "three");
	assert_true(strstr(c.in.data, "\"two\"") < strstr(c.in.data, "three"));
	assert_int_equal(gone_n, 1);
	client_close(&c);
}

static void an_unknown_path_is_404_and_another_method_405_with_allow(void **state)
{
	struct client c = client_open();
	client_send(&c, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&c, "404");
	client_expect(&c, "application/problem+json");
	client_expect(&c, "\"code\":\"not_found\"");
	buf_clear(&c.in);
	client_send(&c, "PUT /things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
	client_expect(&c, "405");
	client_expect(&c, "Allow: GET, HEAD, DELETE");
	client_expect(&c, "}\n");
	buf_clear(&c.in);
	client_send(&c, "HEAD /things/7 HTTP/1.1\r\nHost: x\r\n\r\n"); /* the connection still works */
	client_expect(&c, "200 OK");
	client_close(&c);
}

/* The linker leads every realloc here; one of so much or more fails. */
static size_t fail_once = SIZE_MAX;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_realloc(void *old, size_t size)
{
	if (size < fail_once)
		return __real_realloc(old, size);
	fail_once = SIZE_MAX;
	return NULL;
}

static void a_body_that_there_is_no_memory_for_is_refused_and_the_connection_goes_on(void **state)
{
	struct client c = client_open();
	char body[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n"
				  "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
	fail_once = 80;
	client_send(&c, body);
	client_expect(&c, "503");
	client_expect(&c, "no memory for this body");
	client_expect(&c, "}\n");
	assert_int_equal(handled_n, 0);
	buf_clear(&c.in);
	client_send(&c, body);
	client_expect(&c, "200 OK");
	client_close(&c);
}

static void a_body_above_the_limit_is_413_naming_the_limit(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
	client_expect(&c, "413");
	client_expect(&c, "at most 100");
	client_expect_end(&c);
	client_close(&c);
	assert_int_equal(handled_n, 0);
}

static void a_chunked_body_above_the_limit_is_413(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20; i++)
		client_send(&c, "a\r\n0123456789\r\n");
	client_send(&c, "0\r\n\r\n");
	client_expect(&c, "413");
	client_expect(&c, "at most 100 bytes");
	client_close(&c);
	assert_int_equal(handled_n, 0);
}

static void a_body_where_none_is_taken_is_refused(void **state)
{
	struct client c = client_open();
	client_send(&c, "DELETE /things/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
	client_expect(&c, "413");
	client_expect(&c, "takes no body");
	client_close(&c);
}

static void a_client_that_waits_for_100_is_answered_without_sending_its_body(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\nExpect: 100-continue\r\n\r\n");
	client_expect(&c, "413");
	assert_null(strstr(c.in.data, "100 Continue"));
	client_close(&c);
}

static void what_is_not_http_ends_the_connection(void **state)
{
	static const char *const bad[] = {"\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/1.1\r\n\r\n"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct client c = client_open();
		client_send(&c, bad[i]);
		client_expect_end(&c);
		assert_null(c.in.size ? strstr(c.in.data, " 200 ") : NULL);
		client_close(&c);
	}
	assert_int_equal(handled_n, 0);
}

static void a_url_or_header_that_is_too_long_is_refused(void **state)
{
	scoped(buf_fini) struct buf b = {0};
	struct client c = client_open();
	buf_text(&b, "GET /");
	for (int i = 0; i < 9000; i++)
		buf_text(&b, "a");
	buf_text(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
	client_send(&c, b.data);
	client_expect(&c, "414");
	client_close(&c);
	buf_clear(&b);
	buf_text(&b, "GET /later HTTP/1.1\r\nHost: x\r\nX-Big: ");
	for (int i = 0; i < 60000; i++)
		buf_text(&b, "a");
	c = client_open();
	client_send(&c, b.data);
	client_expect_end(&c);
	client_close(&c);
	assert_null(kept);
}

static void a_url_that_is_not_utf8_is_400(void **state)
{
	static const char *const bad[] = {"/things/%ff", "/things/%00", "/things/1?q=%c0%af", "/things/1?%00=1"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[128];
		struct client c = client_open();
		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
		client_send(&c, text);
		client_expect(&c, "400");
		client_close(&c);
	}
}

static void a_slow_body_is_waited_for_while_others_are_served(void **state)
{
	struct client slow = client_open(), quick = client_open();
	client_send(&slow, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab");
	client_send(&quick, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nquick");
	client_expect(&quick, "quick");
	assert_int_equal(handled_n, 1);
	client_send(&slow, "cd");
	client_receive(&slow);
	client_send(&slow, "ef");
	client_expect(&slow, "abcdef");
	client_close(&slow);
	client_close(&quick);
}

static void a_body_that_never_ends_ends_the_connection(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n");
	for (int i = 0; i < 20000 && !c.ended; i++) {
		send(c.fd, "x", i % 200 == 0, MSG_NOSIGNAL | MSG_DONTWAIT); /* a byte now and then keeps no connection */
		client_receive(&c);
	}
	assert_true(c.ended);
	assert_int_equal(handled_n, 0);
	client_close(&c);
}

static void bodies_have_a_limit_all_together(void **state)
{
	struct client a = client_open(), b = client_open();
	scoped(buf_fini) struct buf text = {0};
	buf_text(&text, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
	for (int i = 0; i < 99; i++)
		buf_text(&text, "x");
	client_send(&a, text.data);
	for (int i = 0; i < 5; i++)
		turn(-1);
	buf_text(&text, "x");
	client_send(&b, text.data);
	client_expect(&b, "429");
	client_send(&a, "x");
	client_expect(&a, "200 OK");
	buf_clear(&b.in);
	client_send(&b, text.data); /* now there is room again */
	client_expect(&b, "200 OK");
	client_close(&a);
	client_close(&b);
}

static void a_client_that_leaves_before_the_answer_is_noticed(void **state)
{
	struct client c = client_open();
	client_send(&c, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_kept();
	client_close(&c);
	wait_until(&gone_n, 1);
}

static void a_client_that_leaves_in_the_middle_of_its_body_costs_nothing(void **state)
{
	struct client c = client_open();
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nab");
	for (int i = 0; i < 5; i++)
		turn(-1);
	client_close(&c);
	for (int i = 0; i < 5; i++)
		turn(-1);
	assert_int_equal(handled_n, 0);
}

static void events_arrive_one_by_one_and_the_end_is_told(void **state)
{
	struct client c = client_open();
	client_send(&c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&c, "text/event-stream");
	for (int i = 0; i < 50; i++) {
		char text[64];
		snprintf(text, sizeof text, "data: event %d\n\n", i);
		assert_true(http_stream_write(kept, bytes_of(text)));
		client_expect(&c, text);
	}
	http_stream_close(kept);
	client_expect(&c, "0\r\n\r\n");
	wait_until(&gone_n, 1);
	client_close(&c);
}

static int drained_n;

static void on_drained(void *data)
{
	drained_n++;
}

static void a_stream_says_when_its_reader_is_too_slow_and_when_it_caught_up(void **state)
{
	static char block[65536];
	struct client c = client_open();
	memset(block, 'x', sizeof block);
	drained_n = 0;
	client_send(&c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_kept();
	int n = 0;
	while (http_stream_write(kept, (struct bytes){block, sizeof block}))
		n++;
	assert_in_range(n, 10, 16);
	http_stream_on_drain(kept, on_drained);
	size_t got = 0;
	for (int i = 0; i < 100000 && !drained_n; i++) {
		client_receive(&c);
		got += c.in.size;
		buf_clear(&c.in);
	}
	assert_int_equal(drained_n, 1);
	assert_true(got > (size_t)n * sizeof block / 2); /* most of it had to go first */
	http_stream_write(kept, bytes_of("the end"));
	http_stream_close(kept);
	client_expect(&c, "the end");
	client_close(&c);
}

static void a_subscriber_that_leaves_is_noticed(void **state)
{
	struct client c = client_open();
	client_send(&c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&c, "200 OK");
	client_close(&c);
	wait_until(&gone_n, 1);
}

static void a_streamed_body_pauses_its_sender(void **state)
{
	static char megabyte[1 << 20];
	struct client c = client_open();
	pause_next = true;
	client_send(&c, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
	memset(megabyte, 'x', sizeof megabyte);
	size_t sent = 0, before;
	for (int idle = 0; idle < 20;) { /* until nothing more goes in */
		ssize_t n = send(c.fd, megabyte, sizeof megabyte - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turn(-1);
	}
	assert_in_range(streamed, 1, 65536);
	pause_next = false;
	before = streamed;
	http_resume_body(kept);
	while (sent < sizeof megabyte) {
		ssize_t n = send(c.fd, megabyte, sizeof megabyte - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		turn(-1);
	}
	client_expect(&c, "1048576 bytes");
	assert_true(before < streamed);
	client_close(&c);
}

static void a_refused_upload_gets_its_answer_though_it_is_long(void **state)
{
	static char block[65536];
	struct client c = client_open();
	refuse_stream = true;
	memset(block, 'x', sizeof block);
	client_send(&c, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n");
	for (int i = 0; i < 2000; i++) {
		if (send(c.fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			turn(-1);
	}
	client_expect(&c, "507");
	client_expect(&c, "the disk is full");
	client_close(&c);
}

static void open_file(uint64_t size)
{
	char name[] = "/tmp/reeve-http-file-XXXXXX";
	file_fd = mkstemp(name);
	file_size = size;
	unlink(name);
	scoped(mem_free_at) char *data = mem_new(size);
	for (uint64_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 >> 7);
	assert_int_equal(pwrite(file_fd, data, size, 0), size);
}

static void a_file_is_sent_whole_whatever_its_size(void **state)
{
	static const uint64_t sizes[] = {0, 1, 262143, 262144, 262145, 524288, 3000001};
	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		open_file(sizes[k]);
		struct client c = client_open();
		client_send(&c, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
		client_expect(&c, "\r\n\r\n");
		size_t header = (size_t)(strstr(c.in.data, "\r\n\r\n") + 4 - c.in.data);
		for (int i = 0; i < 20000 && c.in.size < header + sizes[k]; i++)
			client_receive(&c);
		assert_int_equal(c.in.size, header + sizes[k]);
		for (uint64_t i = 0; i < sizes[k]; i++) {
			if (c.in.data[header + i] != (char)(i * 31 >> 7))
				fail_msg("size %llu: byte %llu is wrong", (unsigned long long)sizes[k], (unsigned long long)i);
		}
		client_close(&c);
		close(file_fd);
	}
}

static void a_file_that_became_shorter_ends_the_connection(void **state)
{
	open_file(600000);
	assert_int_equal(ftruncate(file_fd, 300000), 0);
	struct client c = client_open();
	client_send(&c, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect_end(&c);
	assert_in_range(c.in.size, 1, 310000);
	client_close(&c);
	close(file_fd);
}

static void a_client_that_leaves_in_the_middle_of_a_file_costs_nothing(void **state)
{
	open_file(3000001);
	for (int i = 0; i < 20; i++) {
		struct client c = client_open();
		client_send(&c, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
		for (int k = 0; k < i; k++)
			turn(-1);
		client_close(&c);
	}
	for (int i = 0; i < 20; i++)
		turn(-1);
	close(file_fd);
}

static void a_problem_has_its_five_members_and_is_utf8(void **state)
{
	struct client c = client_open();
	client_send(&c, "GET /limited HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&c, "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,\"code\":\"limited\","
					  "\"detail\":\"too many jobs wait: \\\"\xef\xbf\xbd\\\"\"}");
	client_expect(&c, "Retry-After: 1");
	client_close(&c);
}

static void the_socket_is_private_and_a_second_server_is_refused(void **state)
{
	struct stat st;
	struct http_server *other = NULL;
	struct http_options o = {.unix_path = path, .routes = tables};
	struct err e;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(http_server_open(loop, &o, &other, &e), E_CONFLICT);
	assert_non_null(strstr(e.text, path));
	assert_null(other);
}

static void a_stale_socket_is_replaced_and_a_file_is_not(void **state)
{
	char stale[80];
	struct http_server *s;
	struct err e;
	snprintf(stale, sizeof stale, "%s.stale", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, stale);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd); /* its daemon is dead, its file is not */
	struct http_options o = {.unix_path = stale, .routes = tables};
	assert_int_equal(http_server_open(loop, &o, &s, &e), E_OK);
	http_server_close(s);
	FILE *f = fopen(stale, "w");
	fclose(f);
	assert_int_equal(http_server_open(loop, &o, &s, &e), E_CONFLICT);
	unlink(stale);
}

static void open_requests_are_dropped_when_the_server_closes(void **state)
{
	struct client waits = client_open(), follows = client_open(), sends = client_open();
	client_send(&waits, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_kept();
	client_send(&follows, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	client_expect(&follows, "200 OK");
	pause_next = true;
	client_send(&sends, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc");
	for (int i = 0; i < 5; i++)
		turn(-1);
	http_server_close(server);
	server = NULL;
	assert_int_equal(gone_n, 2);
	client_close(&waits);
	client_close(&follows);
	client_close(&sends);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_server, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_the_connection_goes_on),
		TEST(pipelined_requests_are_answered_in_order),
		TEST(an_unknown_path_is_404_and_another_method_405_with_allow),
		TEST(a_body_that_there_is_no_memory_for_is_refused_and_the_connection_goes_on),
		TEST(a_body_above_the_limit_is_413_naming_the_limit),
		TEST(a_chunked_body_above_the_limit_is_413),
		TEST(a_body_where_none_is_taken_is_refused),
		TEST(a_client_that_waits_for_100_is_answered_without_sending_its_body),
		TEST(what_is_not_http_ends_the_connection),
		TEST(a_url_or_header_that_is_too_long_is_refused),
		TEST(a_url_that_is_not_utf8_is_400),
		TEST(a_slow_body_is_waited_for_while_others_are_served),
		TEST(a_body_that_never_ends_ends_the_connection),
		TEST(bodies_have_a_limit_all_together),
		TEST(a_client_that_leaves_before_the_answer_is_noticed),
		TEST(a_client_that_leaves_in_the_middle_of_its_body_costs_nothing),
		TEST(events_arrive_one_by_one_and_the_end_is_told),
		TEST(a_stream_says_when_its_reader_is_too_slow_and_when_it_caught_up),
		TEST(a_subscriber_that_leaves_is_noticed),
		TEST(a_streamed_body_pauses_its_sender),
		TEST(a_refused_upload_gets_its_answer_though_it_is_long),
		TEST(a_file_is_sent_whole_whatever_its_size),
		TEST(a_file_that_became_shorter_ends_the_connection),
		TEST(a_client_that_leaves_in_the_middle_of_a_file_costs_nothing),
		TEST(a_problem_has_its_five_members_and_is_utf8),
		TEST(the_socket_is_private_and_a_second_server_is_refused),
		TEST(a_stale_socket_is_replaced_and_a_file_is_not),
		TEST(open_requests_are_dropped_when_the_server_closes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
