/* What clients and configuration say as JSON, by the first byte: limits, a pipeline, a worker, a batch. Refused with a sentence or
 * taken, never a crash; limits that were taken are the same when they are written and read again. */
#include "api/api.h"
#include "pipeline/pipeline.h"
#include "queue/limit.h"
#include "schema/schema.h"
#include "worker/worker.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* As the daemon does it before it parses one. */
static bool is_valid(const char *text, struct schema **kept, json_t *value)
{
	char pointer[SCHEMA_POINTER_SIZE];
	struct err e = {0};
	if (!*kept)
		must(schema_open(bytes_of(text), kept, &e) == E_OK);
	bool valid = schema_check(*kept, value, true, pointer, &e) == E_OK;
	must(valid || e.text[0]);
	return valid;
}

static void limits(json_t *from)
{
	struct flow_limits l = {0}, again = {0};
	char pointer[96];
	struct err e = {0};
	if (flow_limits_read(from, &l, pointer, &e) != E_OK) {
		must(e.text[0]);
		return;
	}
	json_t *written = flow_limits_json(&l);
	must(flow_limits_read(written, &again, pointer, &e) == E_OK);
	must(!memcmp(&l, &again, sizeof l));
	json_decref(written);
}

static void pipeline(json_t *from)
{
	static struct schema *schema;
	struct pipeline *p = NULL;
	struct err e = {0};
	if (!is_valid(pipeline_schema, &schema, from))
		return;
	must(pipeline_parse(from, &p, &e) == E_OK || e.text[0]);
	pipeline_free(p);
}

static void worker(json_t *from)
{
	static struct schema *schema;
	struct worker *w = NULL;
	char at[128];
	struct err e = {0};
	if (!is_valid(worker_schema, &schema, from))
		return;
	if (worker_parse(from, &w, at, &e) == E_OK)
		worker_free(w);
	else
		must(e.text[0] != 0);
}

static void batch(const unsigned char *data, size_t size)
{
	struct submission s = {.now_ms = 1795319100000};
	buf_add(&s.body, data, size);
	must(submission_parse_batch(&s) == E_OK || s.error.text[0]);
	submission_fini(&s);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static void (*const forms[])(json_t *) = {limits, pipeline, worker};
	if (!size)
		return 0;
	if (data[0] % 4 == 3) {
		batch(data + 1, size - 1);
		return 0;
	}
	json_t *from = json_loadb((const char *)data + 1, size - 1, 0, NULL);
	if (json_is_object(from))
		forms[data[0] % 4](from);
	json_decref(from);
	return 0;
}
