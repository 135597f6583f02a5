/* A fresh job is mostly leased within milliseconds: its input is then still here and need not be read back. */
#include "queue/state.h"

#include <stdlib.h>

struct input {
	struct list link; /* in qs->inputs; first member: queues_free frees it by this */
	struct input **owner; /* set to NULL when the input is dropped */
	size_t size;
	char data[];
};

struct input *input_keep(struct queues *qs, struct bytes data, struct input **owner)
{
	if (data.size > INPUT_CACHE_BYTES / 8)
		return NULL;
	qs->input_bytes += data.size + sizeof(struct input);
	while (qs->input_bytes > INPUT_CACHE_BYTES)
		input_drop(qs, container_of(qs->inputs.next, struct input, link));
	struct input *in = mem_resize(NULL, sizeof *in + data.size);
	in->size = data.size;
	if (data.size)
		memcpy(in->data, data.data, data.size);
	list_append(&qs->inputs, &in->link);
	input_move(in, owner);
	return in;
}

void input_move(struct input *in, struct input **owner)
{
	*owner = in;
	if (in)
		in->owner = owner;
}

void input_drop(struct queues *qs, struct input *in)
{
	if (!in)
		return;
	*in->owner = NULL;
	qs->input_bytes -= in->size + sizeof *in;
	list_remove(&in->link);
	free(in);
}

struct bytes input_bytes(const struct input *in)
{
	return (struct bytes){in->data, in->size};
}

/* What became of an item is the item's row; else it is the job's own. */
static enum errcode read_stored(struct queues *qs, const struct job *j, struct buf *out, struct err *e)
{
	if (j->more && j->more->parent_id) {
		struct store_key key = {.id = j->more->parent_id, .sub = j->more->item_key};
		return qs->store->ops->read(qs->store, STORE_ITEM, key, NULL, out, e);
	}
	return qs->store->ops->read(qs->store, STORE_JOB, (struct store_key){.id = j->id}, NULL, out, e);
}

enum errcode job_read_input(struct queues *qs, struct job *j, struct buf *out, struct err *e)
{
	struct input *in = j->state == JOB_PROCESSING ? j->lease->input : j->input;
	buf_clear(out);
	if (!in)
		return read_stored(qs, j, out, e);
	buf_add(out, in->data, in->size);
	return E_OK;
}

enum errcode job_read_checkpoint(struct queues *qs, struct job *j, struct buf *out, struct err *e)
{
	buf_clear(out);
	if (!j->more || !j->more->streams)
		return E_OK;
	enum errcode code =
		qs->store->ops->read(qs->store, STORE_CHECKPOINT, (struct store_key){.id = j->id}, NULL, out, e);
	return code == E_NOT_FOUND ? E_OK : code;
}
