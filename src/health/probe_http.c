/* http: the answer's status is 2xx. By libcurl's multi interface on the loop, the way its manual drives it: curl says which sockets
 * to watch and when to come back, curl_multi_socket_action(3). No redirect is followed, no proxy is used, bodies are thrown away. */
#include "health/probe.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <reeve/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 64 << 10 }; /* bytes of a body that are read */

struct http_probes {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
};

struct http_probe {
	struct probe probe;
	struct http_probes *shared;
	CURL *easy;
	struct curl_slist *headers;
	size_t got;
	char why[CURL_ERROR_SIZE];
};

struct watched { /* a socket of curl's */
	uv_poll_t poll;
	struct http_probes *shared;
	curl_socket_t socket;
};

/* ── what has ended ── */

static void tell(struct http_probe *x, CURLcode result)
{
	long status = 0;
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	bool cut = result == CURLE_WRITE_ERROR && x->got > BODY_MAX; /* it said enough */
	if (result != CURLE_OK && !cut)
		probe_tell(&x->probe, false, "%s", *x->why ? x->why : curl_easy_strerror(result));
	else
		probe_tell(&x->probe, status >= 200 && status < 300, "HTTP status %ld", status);
}

static void look_for_ends(struct http_probes *h)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_probe *x;
		CURLcode result = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		tell(x, result);
	}
}

/* ── curl on the loop ── */

static void on_timer(void *context)
{
	struct http_probes *h = context;
	int running;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_ends(h);
}

static int set_timer(CURLM *multi, long ms, void *context)
{
	struct http_probes *h = context;
	loop_timer_set(h->timer, ms);
	return 0;
}

static void on_socket(uv_poll_t *poll, int error, int events)
{
	struct watched *s = container_of(poll, struct watched, poll);
	struct http_probes *h = s->shared;
	int running, flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
						 (error < 0 ? CURL_CSELECT_ERR : 0);
	curl_multi_socket_action(h->multi, s->socket, flags, &running); /* s may be gone */
	look_for_ends(h);
}

static void on_unwatched(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct watched, poll));
}

static int watch(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
	struct http_probes *h = context;
	struct watched *s = known;
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(h->multi, socket, NULL);
		if (s)
			uv_close((uv_handle_t *)&s->poll, on_unwatched);
		return 0;
	}
	if (!s) {
		s = NEW(struct watched);
		s->shared = h;
		s->socket = socket;
		uv_poll_init_socket(loop_uv(h->loop), &s->poll, socket);
		curl_multi_assign(h->multi, socket, s);
	}
	uv_poll_start(
		&s->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_socket);
	return 0;
}

struct http_probes *http_probes_new(struct loop *l)
{
	struct http_probes *h = NEW(struct http_probes);
	h->loop = l;
	return h;
}

/* With the first probe: most engines make none, and libcurl takes memory. */
static void begin(struct http_probes *h)
{
	h->timer = loop_timer_new(h->loop, on_timer, h);
	h->multi = curl_multi_init();
	if (!h->multi)
		abort(); /* memory ran out */
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
}

void http_probes_free(struct http_probes *h)
{
	if (!h)
		return;
	if (h->multi)
		curl_multi_cleanup(h->multi);
	loop_timer_free(h->timer);
	free(h);
}

/* ── one of them ── */

static void http_close(struct probe *p)
{
	struct http_probe *x = container_of(p, struct http_probe, probe);
	curl_multi_remove_handle(x->shared->multi, x->easy);
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	free(x);
}

static const struct probe_ops ops = {http_close};

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct http_probe *x = context;
	x->got += size * n;
	return x->got > BODY_MAX ? 0 : size * n;
}

struct probe *probe_http(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	struct http_probe *x = NEW(struct http_probe);
	x->shared = prober_http(p);
	if (!x->shared->multi)
		begin(x->shared);
	x->easy = curl_easy_init();
	if (!x->easy)
		abort(); /* memory ran out */
	probe_init(&x->probe, &ops);
	for (char **h = q->check->headers; h && *h; h++)
		x->headers = curl_slist_append(x->headers, *h);
	curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
	curl_easy_setopt(x->easy, CURLOPT_URL, q->url);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
	curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(x->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->why);
	curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(
		x->easy, CURLOPT_FRESH_CONNECT, 1L); /* that it still accepts connections is a part of the question */
	curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, 1L);
	if (q->check->method && strcmp(q->check->method, "HEAD") == 0)
		curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
	else if (q->check->method)
		curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, q->check->method);
	curl_multi_add_handle(x->shared->multi, x->easy);
	return &x->probe;
}
