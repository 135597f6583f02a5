/* Batches, as a client of the link has them. Each question is answered by the batch as JSON. */
#include "client.h"
#include "wire/id.h"
#include "wire/jsontext.h"

#include <string.h>

static int ask_json(
	struct reeve_client *c, uint8_t type, uint64_t batch, int64_t number, struct span data, struct reeve_bytes *json)
{
	struct wire_message m;
	int rc = io_put_simple(&c->out, type, c->tickets += 2, batch, number, data) ? client_ask(c, c->tickets, -1, &m)
																				: client_refuse_memory(c);

	if (rc == REEVE_OK && m.type != FRAME_SHOWN)
		rc = client_take_other(c, &m);
	return rc == REEVE_OK ? client_keep_json(c, &m, json) : rc;
}

static int ask_batch(struct reeve_client *c, uint8_t type, const char *id, int64_t number, struct reeve_bytes *json)
{
	uint64_t batch;
	int rc = client_begin(c);

	if (rc != REEVE_OK)
		return rc;
	if (!id || id_parse(id, strlen(id), &batch) < 0)
		return client_refuse(
			c, REEVE_E_INVALID, "\"%.40s\" is no batch's id: those have 13 letters and digits", id ? id : "");
	return ask_json(c, type, batch, number, (struct span){0}, json);
}

REEVE_PUBLIC int reeve_client_batch_open(struct reeve_client *c, const char *json, char id[REEVE_ID_SIZE])
{
	struct reeve_bytes made;
	struct jsontext v;
	int rc = client_begin(c);

	if (rc == REEVE_OK)
		rc = ask_json(
			c, FRAME_BATCH_OPEN, 0, 0, json ? (struct span){json, strlen(json)} : (struct span){"{}", 2}, &made);
	if (rc != REEVE_OK)
		return rc;
	if (!jsontext_is_object(made.data, made.size) ||
		!jsontext_get((struct jsontext){made.data, made.size}, "batch_id", &v) ||
		!jsontext_string(v, id, REEVE_ID_SIZE))
		return client_refuse(c, REEVE_E_INTERNAL, "the daemon's answer names no batch");
	return REEVE_OK;
}

REEVE_PUBLIC int reeve_client_batch_close(struct reeve_client *c, const char *id, struct reeve_bytes *json)
{
	return ask_batch(c, FRAME_BATCH_CLOSE, id, 0, json);
}

REEVE_PUBLIC int reeve_client_batch_cancel(struct reeve_client *c, const char *id, struct reeve_bytes *json)
{
	return ask_batch(c, FRAME_BATCH_CANCEL, id, 0, json);
}

REEVE_PUBLIC int reeve_client_batch_wait(
	struct reeve_client *c, const char *id, int64_t timeout_ms, struct reeve_bytes *json)
{
	return ask_batch(c, FRAME_BATCH_WAIT, id, timeout_ms, json);
}
