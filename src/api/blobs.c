/* /v1/blobs: uploads, streamed to disk and named by SHA-256. Hashing and writing run on the pool; the client waits meanwhile. */
#include "api/api.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

static void post_blob(void *context, struct http_request *r);
static bool take_piece(void *context, struct http_request *r, struct bytes piece);

const struct http_route blob_routes[] = {
	{.method = "POST",
		.path = "/v1/blobs",
		.handle = post_blob,
		.body = take_piece,
		.body_max = SIZE_MAX,
		.summary = "Store the body as a blob"},
	{.method = "GET",
		.path = "/v1/blobs",
		.handle = api_list_blobs,
		.summary = "List blobs in the order of their names",
		.doc = "\"x-query\":\"limit cursor\""},
	{.method = "POST",
		.path = "/v1/blobs/collect",
		.handle = api_collect_blobs,
		.summary = "Delete now what nothing refers to and nobody used for ?unused= (blobs.keep_unused)",
		.doc = "\"x-query\":\"unused\""},
	{.method = "GET",
		.path = "/v1/blobs/{blob}",
		.handle = api_get_blob,
		.summary = "Fetch a blob; it is verified first"},
	{.method = "POST",
		.path = "/v1/blobs/{blob}/verify",
		.handle = api_verify_blob,
		.summary = "Read a blob and compare its SHA-256 with its name"},
	{0},
};

/* One upload: pieces gather while the pool writes what was gathered before. */
struct upload {
	struct api *api;
	struct http_request *request; /* NULL: the client has gone */
	struct blob_writer *writer;
	struct buf gathering, writing;
	bool busy; /* the pool has `writing`, `writer` and what follows */
	bool ended; /* the whole body is here */
	bool last; /* what the pool has is the end of it */
	enum errcode code;
	struct err error;
	char name[BLOB_NAME_SIZE];
	uint64_t bytes;
};

#define UPLOAD_WAITING_MAX (1 << 20) /* then the client is paused */
#define UPLOAD_PIECE	   (256 << 10) /* what makes a trip to the pool worth it */

static void advance(struct upload *u);

static void upload_free(struct upload *u)
{
	blob_writer_abort(u->writer);
	buf_fini(&u->gathering);
	buf_fini(&u->writing);
	free(u);
}

static void client_gone(void *data)
{
	struct upload *u = data;
	u->request = NULL;
	if (!u->busy)
		upload_free(u);
}

static void work(void *context)
{
	struct upload *u = context;
	if (!u->code && !u->writer)
		u->code = blob_writer_open(u->api->blobs, &u->writer, &u->error);
	if (!u->code && u->writing.size)
		u->code = blob_writer_add(u->writer, u->writing.data, u->writing.size, &u->error);
	if (!u->code && u->last) {
		u->code = blob_writer_close(u->writer, u->name, &u->bytes, &u->error);
		u->writer = NULL;
	}
	buf_clear(&u->writing);
}

static void answer(struct upload *u)
{
	struct http_request *r = u->request;
	if (u->code) {
		http_problem(r, &u->error); /* client_gone follows and frees u */
		return;
	}
	struct buf json = {0};
	buf_format(&json, "{\"blob\":\"%s\",\"bytes\":%" PRIu64 "}", u->name, u->bytes);
	api_reply_buf(r, 201, &json);
}

static void worked(void *context)
{
	struct upload *u = context;
	u->busy = false;
	if (!u->request)
		upload_free(u);
	else if (u->code || u->name[0])
		answer(u);
	else
		advance(u);
}

static void advance(struct upload *u)
{
	if (u->busy || (!u->ended && u->gathering.size < UPLOAD_PIECE))
		return;
	struct buf empty = u->writing;
	u->writing = u->gathering;
	u->gathering = empty;
	u->busy = true;
	u->last = u->ended;
	loop_work(u->api->loop, work, worked, u);
	if (!u->ended)
		http_resume_body(u->request);
}

static struct upload *upload_of(struct api *a, struct http_request *r)
{
	struct upload *u = http_data(r);
	if (u)
		return u;
	u = NEW(struct upload);
	u->api = a;
	u->request = r;
	http_set_data(r, u, client_gone);
	return u;
}

static bool refused(struct api *a, struct http_request *r)
{
	if (http_data(r) || !queues_no_space(a->queues))
		return false;
	api_fail(r, E_NO_SPACE, "the disk is full: no blob can be kept");
	return true;
}

static bool take_piece(void *context, struct http_request *r, struct bytes piece)
{
	if (refused(context, r))
		return true;
	struct upload *u = upload_of(context, r);
	buf_add(&u->gathering, piece.data, piece.size);
	advance(u);
	return u->gathering.size < UPLOAD_WAITING_MAX;
}

static void post_blob(void *context, struct http_request *r)
{
	if (refused(context, r))
		return;
	struct upload *u = upload_of(context, r);
	u->ended = true;
	advance(u);
}
