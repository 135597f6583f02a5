#include "callback/sender.h"

#include "base/mem.h"
#include "callback/target.h"
#include "wire/id.h"

#include <assert.h>
#include <curl/curl.h>
#include <gnutls/crypto.h>
#include <reeve/version.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDLE_MS = 60000, HASH_SIZE = 32 };

struct sender {
	struct sender_options o;
	char *secret, *ca_file;
	CURLM *multi;
	uv_thread_t thread;
	bool runs; /* the thread was started */
	bool closed; /* nobody is told any more */
	uint64_t away; /* requests that have not come back; loop thread */
	atomic_bool stop;
	_Atomic(struct sending *) posted; /* a stack; the thread takes all of it at once */
};

struct sending { /* one request on its way */
	struct message message; /* first: how it comes back */
	struct sending *next, *prev; /* posted; then among those under way */
	struct sender *sender;
	struct callback_request *request;
	CURL *easy;
	struct curl_slist *headers;
	size_t answered; /* bytes of the answer that were read */
	bool opened; /* an address was let through */
	bool denied; /* one was not */
	char denied_address[64];
	char why[CURL_ERROR_SIZE];
};

/* ── back on the loop thread ── */

static void sender_destroy(struct sender *s)
{
	if (s->multi)
		curl_multi_cleanup(s->multi);
	free(s->secret);
	free(s->ca_file);
	free(s);
}

static void came_back(struct message *m)
{
	struct sending *g = container_of(m, struct sending, message);
	struct sender *s = g->sender;
	s->away--;
	if (s->closed)
		callback_request_free(g->request);
	else
		s->o.sent(s->o.context, g->request);
	free(g);
	if (s->closed && !s->away)
		sender_destroy(s);
}

/* ── what curl asks, on the sender's thread ── */

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct sending *g = context;
	if (!allow_address(g->sender->o.allow, g->request->host, &address->addr)) {
		g->denied = true;
		if (getnameinfo(&address->addr, address->addrlen, g->denied_address, sizeof g->denied_address, NULL, 0,
				NI_NUMERICHOST) != 0)
			g->denied_address[0] = 0;
		return CURL_SOCKET_BAD;
	}
	g->opened = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Header and body together: a receiver that never ends is cut off, and was understood by its status. */
static size_t read_answer(char *data, size_t size, size_t n, void *context)
{
	struct sending *g = context;
	g->answered += size * n;
	return g->answered > SENDER_ANSWER_MAX ? 0 : size * n;
}

/* ── one request ── */

static void add_header(struct sending *g, const char *line)
{
	struct curl_slist *more = curl_slist_append(g->headers, line);
	if (!more)
		abort();
	g->headers = more;
}

static void sign(struct sending *g)
{
	const struct sender *s = g->sender;
	unsigned char mac[HASH_SIZE];
	char line[32 + 2 * HASH_SIZE], *at = line + sprintf(line, "Reeve-Signature: sha256=");
	if (!s->o.secret.size)
		return;
	if (gnutls_hmac_fast(
			GNUTLS_MAC_SHA256, s->secret, s->o.secret.size, g->request->body.data, g->request->body.size, mac) < 0)
		abort();
	for (int i = 0; i < HASH_SIZE; i++)
		at += sprintf(at, "%02x", mac[i]);
	add_header(g, line);
}

static void add_headers(struct sending *g)
{
	const struct callback_request *r = g->request;
	scoped(buf_fini) struct buf line = {0};
	char text[100], id[ID_TEXT_SIZE];
	size_t at = 0;
	while (target_next_header(r->headers, &at, &line))
		add_header(g, line.data);
	id_format(r->id, id);
	add_header(g, "Content-Type: application/json");
	add_header(g, "Expect:");
	snprintf(text, sizeof text, "Reeve-Delivery: %s", id);
	add_header(g, text);
	snprintf(text, sizeof text, "Reeve-Attempt: %d", r->attempt);
	add_header(g, text);
	snprintf(text, sizeof text, "Reeve-Event: %s", r->type);
	add_header(g, text);
	sign(g);
}

static void set_options(struct sending *g)
{
	const struct sender *s = g->sender;
	CURL *c = g->easy;
	curl_easy_setopt(c, CURLOPT_URL, g->request->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, g->request->body.data);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)g->request->body.size);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, g->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)s->o.timeout_ms);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* the end of the engine waits for no name server */
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, g);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, read_answer);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, g);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, read_answer);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, g);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, g->why);
	curl_easy_setopt(c, CURLOPT_PRIVATE, g);
	if (s->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
}

static void explain(struct sending *g, CURLcode code)
{
	struct callback_request *r = g->request;
	if (r->status)
		snprintf(r->error, sizeof r->error, "the receiver answered %d", r->status);
	else if (r->refused)
		snprintf(r->error, sizeof r->error,
			"the address %s may not be reached: callbacks.allow of the configuration says what may", g->denied_address);
	else
		snprintf(r->error, sizeof r->error, "%s", g->why[0] ? g->why : curl_easy_strerror(code));
}

static void finish(struct sending *g, CURLcode code)
{
	struct callback_request *r = g->request;
	curl_off_t seconds = 0;
	long status = 0;
	curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(g->easy, CURLINFO_RETRY_AFTER, &seconds);
	r->status = (int)status;
	r->refused = !status && g->denied && !g->opened;
	r->retry_after_ms = seconds > INT32_MAX ? INT64_C(1000) * INT32_MAX : (int64_t)seconds * 1000;
	explain(g, code);
}

/* ── the thread ── */

static void give_back(struct sending *g)
{
	curl_multi_remove_handle(g->sender->multi, g->easy);
	curl_easy_cleanup(g->easy);
	curl_slist_free_all(g->headers);
	loop_post(g->sender->o.loop, &g->message);
}

static void unlink_from(struct sending **under_way, struct sending *g)
{
	if (g->next)
		g->next->prev = g->prev;
	if (g->prev)
		g->prev->next = g->next;
	else
		*under_way = g->next;
}

static void begin(struct sending **under_way, struct sending *g)
{
	g->easy = curl_easy_init();
	if (!g->easy)
		abort();
	add_headers(g);
	set_options(g);
	g->prev = NULL;
	g->next = *under_way;
	if (g->next)
		g->next->prev = g;
	*under_way = g;
	curl_multi_add_handle(g->sender->multi, g->easy);
}

static void take_posted(struct sender *s, struct sending **under_way)
{
	struct sending *g = atomic_exchange_explicit(&s->posted, NULL, memory_order_acquire), *in_order = NULL;
	while (g) {
		struct sending *next = g->next;
		g->next = in_order;
		in_order = g;
		g = next;
	}
	while ((g = in_order)) {
		in_order = g->next;
		begin(under_way, g);
	}
}

static void take_finished(struct sender *s, struct sending **under_way)
{
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(s->multi, &left))) {
		struct sending *g;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &g);
		finish(g, m->data.result);
		unlink_from(under_way, g);
		give_back(g);
	}
}

static void run(void *context)
{
	struct sender *s = context;
	struct sending *under_way = NULL;
	int running;
	while (!atomic_load(&s->stop)) {
		take_posted(s, &under_way);
		curl_multi_perform(s->multi, &running);
		take_finished(s, &under_way);
		curl_multi_poll(s->multi, NULL, 0, IDLE_MS, NULL);
	}
	take_posted(s, &under_way);
	for (struct sending *g; (g = under_way);) {
		under_way = g->next;
		give_back(g);
	}
}

/* ── the loop thread's side ── */

struct sender *sender_new(const struct sender_options *o)
{
	struct sender *s = NEW(struct sender);
	s->o = *o;
	s->secret = mem_copy(o->secret.data, o->secret.size);
	s->ca_file = mem_text(o->ca_file);
	return s;
}

static void start(struct sender *s)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(s->multi = curl_multi_init()))
		abort();
	curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)s->o.connections);
	if (uv_thread_create(&s->thread, run, s) != 0)
		abort();
	s->runs = true;
}

void sender_send(struct sender *s, struct callback_request *r)
{
	struct sending *g = NEW(struct sending);
	g->message.run = came_back;
	g->sender = s;
	g->request = r;
	s->away++;
	if (!s->runs)
		start(s);
	g->next = atomic_load_explicit(&s->posted, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&s->posted, &g->next, g, memory_order_release, memory_order_relaxed))
		;
	curl_multi_wakeup(s->multi);
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	if (s->runs) {
		atomic_store(&s->stop, true);
		curl_multi_wakeup(s->multi);
		uv_thread_join(&s->thread);
	}
	s->closed = true; /* what was under way is in the loop's mailbox, and frees the rest */
	if (!s->away)
		sender_destroy(s);
}
