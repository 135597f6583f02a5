/* client.h - inside the client of the SDK: what its files offer one another. */
#pragma once
#include "io.h"
#include "wire/message.h"

#include <reeve/client.h>

enum { CLIENT_SUBMIT_MAX = 10000 };

struct reeve_client {
	int fd;
	struct stream_in in;
	struct stream_out out;
	uint64_t tickets; /* the last one given; even. With bit 0 it waits for the outcome, too */
	unsigned outstanding; /* answers that sent jobs will still get */
	char *body; /* a SUBMIT that is put together */
	size_t body_room;
	unsigned char existing[CLIENT_SUBMIT_MAX / 8 + 1]; /* bit i: of the last answer to a submit */
	char error[512];
};

__attribute__((format(printf, 3, 4))) int client_refuse(struct reeve_client *c, int code, const char *format, ...);
int client_refuse_memory(struct reeve_client *c);
int client_begin(struct reeve_client *c); /* of a blocking request: none may be outstanding */
int client_job_id(struct reeve_client *c, const char *id, uint64_t *job);
int client_ask(struct reeve_client *c, uint64_t ticket, int64_t timeout_ms, struct wire_message *m); /* its answer */
int client_keep_json(struct reeve_client *c, const struct wire_message *m, struct reeve_bytes *json); /* with its NUL */
int client_take_other(
	struct reeve_client *c, const struct wire_message *m); /* an ERROR frame, or one that cannot come */
