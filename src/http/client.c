#include "http/client.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <netdb.h>
#include <reeve/version.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_MS = 60000 };

struct http_client {
	struct loop *loop;
	char *ca_file;
	unsigned connections;
	CURLM *multi;
	uv_thread_t thread;
	bool runs; /* the thread was started */
	bool closed;
	uint64_t away; /* calls that have not come back; loop thread */
	atomic_bool stop, cancels; /* cancels: some call under way is to end */
	_Atomic(struct http_call_state *) posted; /* a stack; the thread takes all of it at once */
};

struct http_call_state { /* one call on its way */
	struct message message; /* first: how it comes back */
	struct http_call_state *next, *prev; /* posted; then among those under way */
	struct http_client *client;
	struct http_call *call;
	CURL *easy;
	struct curl_slist *headers;
	size_t answered; /* bytes of the answer that were read */
	bool opened, denied; /* an address was let through, was not */
	atomic_bool cancelled;
	char denied_address[64];
	char why[CURL_ERROR_SIZE];
};

/* ── back on the loop thread ── */

static void client_destroy(struct http_client *c)
{
	if (c->multi)
		curl_multi_cleanup(c->multi);
	free(c->ca_file);
	free(c);
}

static void came_back(struct message *m)
{
	struct http_call_state *s = container_of(m, struct http_call_state, message);
	struct http_client *c = s->client;
	struct http_call *call = s->call;
	c->away--;
	call->state = NULL;
	free(s);
	call->done(call->context, call);
	if (c->closed && !c->away)
		client_destroy(c);
}

void http_call_fini(struct http_call *call)
{
	buf_fini(&call->headers);
	buf_fini(&call->answer);
}

/* ── what curl asks, on the client's thread ── */

static bool may_reach(struct http_call_state *s, const struct curl_sockaddr *a)
{
	const struct http_call *call = s->call;
	if (a->family == AF_UNIX || !call->may_reach || call->may_reach(call->context, &a->addr))
		return true;
	if (getnameinfo(&a->addr, a->addrlen, s->denied_address, sizeof s->denied_address, NULL, 0, NI_NUMERICHOST) != 0)
		s->denied_address[0] = 0;
	return false;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_call_state *s = context;
	if (!may_reach(s, a)) {
		s->denied = true;
		return CURL_SOCKET_BAD;
	}
	s->opened = true;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* An answer that never ends is cut off; it was understood by its status. */
static bool read_more(struct http_call_state *s, size_t size)
{
	s->answered += size;
	return s->answered <= s->call->answer_max;
}

static size_t on_header(char *data, size_t size, size_t n, void *context)
{
	return read_more(context, size * n) ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct http_call_state *s = context;
	if (!read_more(s, size * n))
		return 0;
	if (s->call->keep_answer)
		buf_add(&s->call->answer, data, size * n);
	return size * n;
}

/* ── one call ── */

static void add_header(struct http_call_state *s, const char *line)
{
	struct curl_slist *more = curl_slist_append(s->headers, line);
	if (!more)
		abort();
	s->headers = more;
}

static void add_headers(struct http_call_state *s)
{
	scoped(mem_free_at) char *all = mem_copy(s->call->headers.data, s->call->headers.size);
	char *rest = all;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			add_header(s, line);
	add_header(s, "Expect:"); /* a body is sent without being asked for */
}

static void set_body(CURL *e, const struct http_call *call)
{
	if (strcmp(call->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (call->body.size || strcmp(call->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body.size ? call->body.data : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_limits(CURL *e, const struct http_call *call)
{
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(call->timeout_ms > INT32_MAX ? INT32_MAX : call->timeout_ms));
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* the end of the engine waits for no name server */
}

static void set_options(struct http_call_state *s)
{
	CURL *e = s->easy;
	curl_easy_setopt(e, CURLOPT_URL, s->call->url);
	if (s->call->unix_path)
		curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, s->call->unix_path);
	set_body(e, s->call);
	set_limits(e, s->call);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->headers);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->why);
	curl_easy_setopt(e, CURLOPT_PRIVATE, s);
	if (s->client->ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, s->client->ca_file);
}

static void explain(struct http_call_state *s, const char *why)
{
	struct http_call *call = s->call;
	if (call->denied)
		snprintf(call->error, sizeof call->error, "the address %s may not be reached", s->denied_address);
	else
		snprintf(call->error, sizeof call->error, "%s", s->why[0] ? s->why : why);
}

static void judge(struct http_call_state *s, CURLcode code)
{
	struct http_call *call = s->call;
	curl_off_t seconds = 0;
	long status = 0;
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &seconds);
	call->status = (int)status;
	call->denied = !status && s->denied && !s->opened;
	call->retry_after_ms = seconds > INT32_MAX ? INT64_C(1000) * INT32_MAX : (int64_t)seconds * 1000;
	if (code)
		explain(s, curl_easy_strerror(code));
}

/* ── the thread ── */

static void give_back(struct http_call_state *s)
{
	curl_multi_remove_handle(s->client->multi, s->easy);
	curl_easy_cleanup(s->easy);
	curl_slist_free_all(s->headers);
	loop_post(s->client->loop, &s->message);
}

static void unlink_from(struct http_call_state **under_way, struct http_call_state *s)
{
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		*under_way = s->next;
}

static void begin(struct http_call_state **under_way, struct http_call_state *s)
{
	s->easy = curl_easy_init();
	if (!s->easy)
		abort();
	if (s->call->prepare)
		s->call->prepare(s->call->context, s->call);
	add_headers(s);
	set_options(s);
	s->prev = NULL;
	s->next = *under_way;
	if (s->next)
		s->next->prev = s;
	*under_way = s;
	curl_multi_add_handle(s->client->multi, s->easy);
}

static void take_posted(struct http_client *c, struct http_call_state **under_way)
{
	struct http_call_state *s = atomic_exchange_explicit(&c->posted, NULL, memory_order_acquire), *in_order = NULL;
	while (s) {
		struct http_call_state *next = s->next;
		s->next = in_order;
		in_order = s;
		s = next;
	}
	while ((s = in_order)) {
		in_order = s->next;
		begin(under_way, s);
	}
}

static void take_finished(struct http_client *c, struct http_call_state **under_way)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct http_call_state *s;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
		judge(s, m->data.result);
		unlink_from(under_way, s);
		give_back(s);
	}
}

/* All, or those that were cancelled. */
static void end_calls(struct http_call_state **under_way, bool all)
{
	for (struct http_call_state *s = *under_way, *next; s; s = next) {
		next = s->next;
		if (!all && !atomic_load(&s->cancelled))
			continue;
		explain(s, "the call was cancelled");
		unlink_from(under_way, s);
		give_back(s);
	}
}

static void run(void *context)
{
	struct http_client *c = context;
	struct http_call_state *under_way = NULL;
	int running;
	while (!atomic_load(&c->stop)) {
		take_posted(c, &under_way);
		if (atomic_exchange(&c->cancels, false))
			end_calls(&under_way, false);
		curl_multi_perform(c->multi, &running);
		take_finished(c, &under_way);
		curl_multi_poll(c->multi, NULL, 0, IDLE_MS, NULL);
	}
	take_posted(c, &under_way);
	end_calls(&under_way, true);
}

/* ── the loop thread's side ── */

struct http_client *http_client_new(const struct http_client_options *o)
{
	struct http_client *c = NEW(struct http_client);
	c->loop = o->loop;
	c->ca_file = mem_text(o->ca_file);
	c->connections = o->connections;
	return c;
}

static void start(struct http_client *c)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->multi = curl_multi_init()))
		abort();
	if (c->connections)
		curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->connections);
	if (uv_thread_create(&c->thread, run, c) != 0)
		abort();
	c->runs = true;
}

void http_client_call(struct http_client *c, struct http_call *call)
{
	struct http_call_state *s = NEW(struct http_call_state);
	s->message.run = came_back;
	s->client = c;
	s->call = call;
	call->state = s;
	c->away++;
	if (!c->runs)
		start(c);
	s->next = atomic_load_explicit(&c->posted, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&c->posted, &s->next, s, memory_order_release, memory_order_relaxed))
		;
	curl_multi_wakeup(c->multi);
}

void http_client_cancel(struct http_client *c, struct http_call *call)
{
	atomic_store(&call->state->cancelled, true);
	atomic_store(&c->cancels, true);
	curl_multi_wakeup(c->multi);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	if (c->runs) {
		atomic_store(&c->stop, true);
		curl_multi_wakeup(c->multi);
		uv_thread_join(&c->thread);
	}
	c->closed = true; /* what was under way is in the loop's mailbox; the last one frees the rest */
	if (!c->away)
		client_destroy(c);
}
