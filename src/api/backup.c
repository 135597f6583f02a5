/* GET /v1/backup: everything durable as a tar file, while the daemon works (upkeep/backup.h). One at a time. The pool makes a piece
 * when the client has taken the one before. */
#include "api/api.h"

#include "base/mem.h"
#include "log/log.h"
#include "upkeep/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void get_backup(void *context, struct http_request *r);

const struct http_route backup_routes[] = {
	{.method = "GET",
		.path = "/v1/backup",
		.handle = get_backup,
		.summary = "A consistent copy of everything durable, as a tar file; `reeve restore` reads it",
		.doc = "\"responses\":{\"200\":{\"description\":\"the file; X-Estimated-Length says about how long it becomes; "
			   "a copy that fails is "
			   "cut off\",\"content\":{\"application/x-tar\":{}}}}"},
	{0},
};

struct backing_up {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct backup *backup;
	struct buf piece;
	bool away; /* the pool or the store has it */
	bool over;
	enum errcode code;
	struct err error;
};

static void advance(void *context);

static void free_work(void *context)
{
	struct backing_up *b = context;
	backup_free(b->backup);
}

static void freed(void *context)
{
	struct backing_up *b = context;
	b->api->backing_up = false;
	buf_fini(&b->piece);
	free(b);
}

static void client_gone(void *data)
{
	struct backing_up *b = data;
	b->request = NULL;
	if (!b->away)
		loop_work(b->api->loop, free_work, freed, b);
}

static void read_work(void *context)
{
	struct backing_up *b = context;
	b->code = backup_read(b->backup, &b->piece, &b->over, &b->error);
}

/* Too late for a status: a file that is cut off is no backup, and the client sees that it was. */
static void was_read(void *context)
{
	struct backing_up *b = context;
	b->away = false;
	if (!b->request) {
		client_gone(b);
		return;
	}
	if (b->code) {
		log_write(LOG_LEVEL_ERROR, "backup_failed", "error=\"%s\"", b->error.text);
		http_stream_abort(b->request);
		return;
	}
	bool more = http_stream_write(b->request, buf_bytes(&b->piece));
	buf_clear(&b->piece);
	if (b->over)
		http_stream_close(b->request);
	else if (more)
		advance(b);
	else
		http_stream_on_drain(b->request, advance);
}

static void advance(void *context)
{
	struct backing_up *b = context;
	b->away = true;
	loop_work(b->api->loop, read_work, was_read, b);
}

/* The reader's thread: the store waits for it when it is closed. */
static void open_work(void *context, struct store_reader *reader)
{
	struct backing_up *b = context;
	b->code = backup_new(b->api->store, b->api->blobs, b->api->node, &b->backup, &b->error);
}

static void was_opened(void *context)
{
	struct backing_up *b = context;
	struct store_stats st;
	struct blob_stats blobs;
	char estimate[30];
	b->away = false;
	if (!b->request) {
		client_gone(b);
		return;
	}
	if (b->code) {
		http_problem(b->request, &b->error);
		return;
	}
	b->api->store->ops->stats(b->api->store, &st);
	blobs_get_stats(b->api->blobs, &blobs);
	snprintf(estimate, sizeof estimate, "%" PRIu64, st.file_bytes + blobs.bytes + blobs.n * 1024);
	http_add_header(b->request, "X-Estimated-Length", estimate);
	http_stream_open(b->request, 200, "application/x-tar");
	advance(b);
}

static void get_backup(void *context, struct http_request *r)
{
	struct api *a = context;
	if (a->backing_up) {
		api_fail(r, E_CONFLICT, "a backup is under way");
		return;
	}
	a->backing_up = true; /* from here on no blob is collected */
	struct backing_up *b = NEW(struct backing_up);
	b->api = a;
	b->request = r;
	b->away = true;
	http_set_data(r, b, client_gone);
	a->store->ops->query(a->store, open_work, was_opened, b);
}
