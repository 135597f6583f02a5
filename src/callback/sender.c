#include "callback/sender.h"

#include "base/mem.h"
#include "callback/target.h"
#include "http/client.h"
#include "wire/id.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

enum { HASH_SIZE = 32 };

struct sender {
	struct sender_options o;
	char *secret;
	struct http_client *client;
	uint64_t away; /* requests that have not come back */
	bool closed; /* nobody is told any more */
};

struct sending { /* one request on its way */
	struct http_call call;
	struct sender *sender;
	struct callback_request *request;
};

/* ── on the client's thread ── */

static void sign(const struct sender *s, const struct callback_request *r, struct buf *headers)
{
	unsigned char mac[HASH_SIZE];
	if (!s->o.secret.size)
		return;
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, s->secret, s->o.secret.size, r->body.data, r->body.size, mac) < 0)
		abort();
	buf_text(headers, "Reeve-Signature: sha256=");
	for (int i = 0; i < HASH_SIZE; i++)
		buf_format(headers, "%02x", mac[i]);
	buf_text(headers, "\n");
}

static void prepare(void *context, struct http_call *call)
{
	struct sending *g = context;
	const struct callback_request *r = g->request;
	scoped(buf_fini) struct buf line = {0};
	char id[ID_TEXT_SIZE];
	size_t at = 0;
	while (target_next_header(r->headers, &at, &line))
		buf_format(&call->headers, "%s\n", line.data);
	id_format(r->id, id);
	buf_format(&call->headers,
		"Content-Type: application/json\nReeve-Delivery: %s\nReeve-Attempt: %d\nReeve-Event: %s\n", id, r->attempt,
		r->type);
	sign(g->sender, r, &call->headers);
}

static bool may_reach(void *context, const struct sockaddr *address)
{
	struct sending *g = context;
	return allow_address(g->sender->o.allow, g->request->host, address);
}

/* ── on the loop thread ── */

static void explain(struct callback_request *r, const struct http_call *call)
{
	if (call->status)
		snprintf(r->error, sizeof r->error, "the receiver answered %d", call->status);
	else
		snprintf(r->error, sizeof r->error, "%.150s%s", call->error,
			call->denied ? ": callbacks.allow of the configuration says what may" : "");
}

static void sender_destroy(struct sender *s)
{
	free(s->secret);
	free(s);
}

static void came_back(void *context, struct http_call *call)
{
	struct sending *g = context;
	struct sender *s = g->sender;
	struct callback_request *r = g->request;
	r->status = call->status;
	r->refused = call->denied;
	r->retry_after_ms = call->retry_after_ms;
	explain(r, call);
	http_call_fini(call);
	free(g);
	s->away--;
	if (!s->closed) {
		s->o.sent(s->o.context, r);
		return;
	}
	callback_request_free(r);
	if (!s->away)
		sender_destroy(s);
}

struct sender *sender_new(const struct sender_options *o)
{
	struct sender *s = NEW(struct sender);
	struct http_client_options client = {.loop = o->loop, .ca_file = o->ca_file, .connections = o->connections};
	s->o = *o;
	s->secret = mem_copy(o->secret.data, o->secret.size);
	s->client = http_client_new(&client);
	return s;
}

void sender_send(struct sender *s, struct callback_request *r)
{
	struct sending *g = NEW(struct sending);
	g->sender = s;
	g->request = r;
	g->call = (struct http_call){.method = "POST",
		.url = r->url,
		.body = buf_bytes(&r->body),
		.timeout_ms = s->o.timeout_ms,
		.answer_max = SENDER_ANSWER_MAX,
		.context = g,
		.prepare = prepare,
		.may_reach = may_reach,
		.done = came_back};
	s->away++;
	http_client_call(s->client, &g->call);
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	s->closed = true; /* what was under way comes back by the loop; the last one frees the rest */
	http_client_free(s->client);
	if (!s->away)
		sender_destroy(s);
}
