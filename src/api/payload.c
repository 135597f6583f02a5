/* Inputs and blobs: what an input names must be there, and an input that is too large for a row becomes a blob. Pool thread. */
#include "api/api.h"

#include "base/mem.h"

#include <stdio.h>

/* Most name none: one search settles that. */
static bool may_name_blob(struct bytes input)
{
	return memmem(input.data, input.size, "\"sha256:", 8);
}

bool api_has_blobs(const struct submission *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->specs[i].input.size > JOB_INPUT_MAX_BYTES || may_name_blob(s->specs[i].input))
			return true;
	return false;
}

static enum errcode use(struct blobs *b, struct bytes input, struct err *e)
{
	char name[BLOB_NAME_SIZE];
	bool only;
	return may_name_blob(input) && blob_of_input(input, name, &only) ? blob_use(b, name, e) : E_OK;
}

static enum errcode store_input(struct blobs *b, struct submission *s, struct job_spec *spec)
{
	struct blob_writer *w;
	struct buf text = {0};
	char name[BLOB_NAME_SIZE];
	enum errcode code = blob_writer_open(b, &w, &s->error);
	if (code)
		return code;
	code = blob_writer_add(w, spec->input.data, spec->input.size, &s->error);
	if (code) {
		blob_writer_abort(w);
		return code;
	}
	code = blob_writer_close(w, name, NULL, &s->error);
	if (code)
		return code;
	buf_format(&text, "{\"blob\":\"%s\"}", name);
	spec->input = buf_bytes(&text);
	s->texts = mem_resize(s->texts, (s->text_n + 1) * sizeof *s->texts);
	s->texts[s->text_n++] = buf_take(&text);
	return E_OK;
}

enum errcode api_use_blob(struct blobs *b, struct submission *s, struct job_spec *spec)
{
	enum errcode code = use(b, spec->input, &s->error);
	if (!code && spec->input.size > JOB_INPUT_MAX_BYTES)
		code = store_input(b, s, spec);
	if (code == E_NOT_FOUND) {
		s->error.code = code = E_INVALID;
		s->status = 422;
	}
	return code;
}

enum errcode api_use_blobs(struct blobs *b, struct submission *s)
{
	for (size_t i = 0; i < s->n; i++) {
		enum errcode code = api_use_blob(b, s, &s->specs[i]);
		if (!code)
			continue;
		if (s->many)
			snprintf(s->pointer, sizeof s->pointer, "/jobs/%zu/input/blob", i);
		else
			snprintf(s->pointer, sizeof s->pointer, "/input/blob");
		return code;
	}
	return E_OK;
}
