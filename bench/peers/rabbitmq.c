/* A quorum queue, which is what its makers recommend where data must be safe; publisher confirms, acknowledged deliveries. */
#include "peers.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { CHANNEL = 1, PREFETCH = 200 };

struct connection {
	amqp_connection_state_t amqp;
	uint64_t published, confirmed;
	bool consumes;
};

static void check(struct connection *c, const char *what)
{
	amqp_rpc_reply_t r = amqp_get_rpc_reply(c->amqp);
	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		give_up("rabbitmq", what);
}

static void *open_queue(const char *where)
{
	struct connection *c = calloc(1, sizeof *c);
	amqp_table_entry_t quorum = {.key = amqp_cstring_bytes("x-queue-type"),
		.value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
	amqp_table_t arguments = {1, &quorum};
	c->amqp = amqp_new_connection();
	if (amqp_socket_open(amqp_tcp_socket_new(c->amqp), "127.0.0.1", atoi(where)) != AMQP_STATUS_OK)
		give_up("rabbitmq", "cannot be connected to");
	if (amqp_login(c->amqp, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type !=
		AMQP_RESPONSE_NORMAL)
		give_up("rabbitmq", "login");
	amqp_channel_open(c->amqp, CHANNEL);
	check(c, "channel.open");
	amqp_queue_declare(c->amqp, CHANNEL, amqp_cstring_bytes("q"), 0, 1, 0, 0, arguments);
	check(c, "queue.declare");
	amqp_confirm_select(c->amqp, CHANNEL);
	check(c, "confirm.select");
	return c;
}

/* One frame that is no message: confirms. false: nothing came in that time. */
static bool confirm(struct connection *c, const struct timeval *patience)
{
	amqp_frame_t f;
	int rc = amqp_simple_wait_frame_noblock(c->amqp, &f, patience);
	if (rc == AMQP_STATUS_TIMEOUT)
		return false;
	if (rc != AMQP_STATUS_OK || f.frame_type != AMQP_FRAME_METHOD || f.payload.method.id != AMQP_BASIC_ACK_METHOD)
		give_up("rabbitmq", "did not confirm");
	const amqp_basic_ack_t *a = f.payload.method.decoded;
	c->confirmed = a->multiple ? a->delivery_tag : c->confirmed + 1;
	return true;
}

/* Confirms may come out of order; with "multiple" they say "all up to this one". Both kinds end at the same sum. */
static void put(void *connection, const char *body, size_t size, unsigned n)
{
	struct connection *c = connection;
	amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
	for (unsigned i = 0; i < n; i++) {
		if (amqp_basic_publish(c->amqp, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes("q"), 0, 0, &persistent,
				(amqp_bytes_t){size, (void *)body}) != AMQP_STATUS_OK)
			give_up("rabbitmq", "publish");
		c->published++;
	}
	while (c->confirmed < c->published)
		if (!confirm(c, &(struct timeval){.tv_sec = 10}))
			give_up("rabbitmq", "did not confirm within ten seconds");
	amqp_maybe_release_buffers(c->amqp);
}

static void consume(struct connection *c)
{
	amqp_basic_qos(c->amqp, CHANNEL, 0, PREFETCH, 0);
	amqp_basic_consume(c->amqp, CHANNEL, amqp_cstring_bytes("q"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
	check(c, "basic.consume");
	c->consumes = true;
}

static unsigned take(void *connection, unsigned most, peer_visit *visit, void *context)
{
	struct connection *c = connection;
	struct timeval patience = {.tv_usec = 100000};
	unsigned got = 0;
	uint64_t tag = 0;
	if (!c->consumes)
		consume(c);
	for (; got < most; got++) {
		amqp_envelope_t e;
		amqp_rpc_reply_t r = amqp_consume_message(c->amqp, &e, &patience, 0);
		if (r.reply_type != AMQP_RESPONSE_NORMAL)
			break;
		visit(context, e.message.body.bytes, e.message.body.len);
		tag = e.delivery_tag;
		amqp_destroy_envelope(&e);
		patience.tv_usec = 0; /* the others only if they are there */
	}
	if (got)
		amqp_basic_ack(c->amqp, CHANNEL, tag, 1);
	amqp_maybe_release_buffers(c->amqp);
	return got;
}

const struct peer peer_rabbitmq = {"rabbitmq", open_queue, put, take};
