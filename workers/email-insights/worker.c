/* worker.c - the face of email.insights towards Reeve: opens the items, runs the pass, replies with the report. */
#include <reeve/worker.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pass.h"
#include "report.h"

#define WORKER_LIST_MAX 100 /* messages in a list of the result, unless configured */

struct state {
	size_t list_max;
};

struct watched {
	struct reeve_job *job;
	uint64_t size;
};

static int worker_progress(void *context, uint64_t bytes)
{
	struct watched *w = context;
	reeve_progress(w->job, w->size ? (int)(bytes * 100 / w->size) : 0, NULL);
	return reeve_cancelled(w->job);
}

static int worker_fail(struct reeve_job *job, int result, const char *code, int retryable, const char *why)
{
	reeve_fail(job, code, retryable, why);
	return result;
}

static int worker_tally(struct reeve_job *job, struct tally *t, FILE *items)
{
	struct stat st;
	struct watched watched = {job, fstat(fileno(items), &st) ? 0 : (uint64_t)st.st_size};
	struct pass_watch watch = {worker_progress, &watched};
	char why[400];
	switch (pass_run(t, items, &watch, why, sizeof why)) {
	case PASS_BAD:
		return worker_fail(job, REEVE_E_INVALID, "INVALID_ITEMS", 0, why);
	case PASS_STOPPED:
		return REEVE_E_CANCELLED;
	case PASS_NO_MEMORY:
		return worker_fail(job, REEVE_E_NO_MEMORY, "INSIGHTS_FAILED", 1, "no memory");
	case PASS_DONE:
		break;
	}
	return REEVE_OK;
}

static int worker_report(struct reeve_job *job, const struct tally *t, json_t *options)
{
	char *text = report_write(t, json_object_get(options, "parse"));
	int result = text ? reeve_reply(job, text, strlen(text))
					  : worker_fail(job, REEVE_E_NO_MEMORY, "INSIGHTS_FAILED", 1, "the report could not be written");
	free(text);
	return result;
}

static int worker_read(const struct state *s, struct reeve_job *job, json_t *options)
{
	int fd = reeve_input_open(job);
	FILE *items = fd < 0 ? NULL : fdopen(fd, "re");
	struct tally t;
	if (!items) {
		if (fd >= 0)
			close(fd);
		return worker_fail(job, REEVE_E_INTERNAL, "INSIGHTS_FAILED", 1, "the items could not be opened");
	}
	tally_init(&t, s->list_max);
	int result = worker_tally(job, &t, items);
	if (!result)
		result = worker_report(job, &t, options);
	tally_fini(&t);
	fclose(items);
	return result;
}

/* The options are the input's JSON, the items its blob. Where there is JSON and no blob, what would be opened is the JSON. */
static int worker_insights(void *state, struct reeve_job *job)
{
	struct reeve_bytes input = reeve_input(job);
	json_error_t e;
	json_t *options = input.data && input.size ? json_loadb(input.data, input.size, 0, &e) : NULL;
	struct stat mine;
	int fd = options ? reeve_input_open(job) : -1;
	int same = fd >= 0 && !fstat(fd, &mine) && (size_t)mine.st_size == input.size &&
			   !json_object_get(options, "blob") && mine.st_size > 2;
	if (fd >= 0)
		close(fd);
	int result = same ? worker_fail(job, REEVE_E_INVALID, "INVALID_INPUT", 0,
							"the input has no \"blob\": upload the items, one JSON object a line, and name them")
					  : worker_read(state, job, options);
	json_decref(options);
	return result;
}

static int worker_start(struct reeve_instance *self, void **state)
{
	struct reeve_bytes config = reeve_config(self);
	json_t *json = config.size ? json_loadb(config.data, config.size, 0, NULL) : NULL;
	json_t *most = json_object_get(json, "list_max");
	struct state *s = calloc(1, sizeof *s);
	if (s)
		s->list_max =
			json_is_integer(most) && json_integer_value(most) >= 0 ? (size_t)json_integer_value(most) : WORKER_LIST_MAX;
	json_decref(json);
	*state = s;
	return s ? REEVE_OK : REEVE_E_NO_MEMORY;
}

static void worker_stop(void *state)
{
	free(state);
}

static const char config_schema[] = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"list_max\":{"
									"\"type\":\"integer\",\"minimum\":0,"
									"\"maximum\":10000,\"default\":100,\"description\":\"messages in a list of the "
									"result; what is beyond is only counted\"}}}";

static const char input_schema[] =
	"{\"type\":\"object\",\"properties\":{"
	"\"blob\":{\"type\":\"string\",\"description\":\"the items, one JSON object a line: a message with "
	"classifications, or with error\"},"
	"\"parse\":{\"type\":[\"object\",\"null\"],\"description\":\"the result of email.parse\"},"
	"\"items\":{\"type\":\"integer\"},\"items_failed\":{\"type\":\"integer\"}}}";

static const char output_schema[] =
	"{\"type\":\"object\",\"required\":[\"pipeline_summary\",\"parsing_results\",\"ml_classification_results\","
	"\"enhanced_insights\","
	"\"recommendations\"],\"properties\":{\"pipeline_summary\":{\"type\":\"object\"},\"parsing_results\":{\"type\":["
	"\"object\",\"null\"]},"
	"\"ml_classification_results\":{\"type\":\"object\"},\"enhanced_insights\":{\"type\":\"object\"},"
	"\"recommendations\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}";

static const char errors[] =
	"[{\"code\":\"INVALID_INPUT\",\"description\":\"The input names no items.\",\"retryable\":false},"
	"{\"code\":\"INVALID_ITEMS\",\"description\":\"A line is not a JSON object of a message.\",\"retryable\":false},"
	"{\"code\":\"INSIGHTS_FAILED\",\"description\":\"The items could not be read, or there is no "
	"memory.\",\"retryable\":true}]";

static const char *const tags[] = {"email", "insights", "aggregation", NULL};

static const struct reeve_capability insights = {.size = sizeof insights,
	.flags = REEVE_IDEMPOTENT,
	.name = "email.insights",
	.version = "1.0.0",
	.summary = "Adds up classified mail: counts, likely bills, urgent and suspicious messages, recommendations.",
	.mode = "batch",
	.tags = tags,
	.input_schema = input_schema,
	.output_schema = output_schema,
	.errors = errors,
	.handle = worker_insights};

static const struct reeve_capability *const capabilities[] = {&insights, NULL};

const struct reeve_worker reeve_export = {.size = sizeof reeve_export,
	.abi = REEVE_ABI,
	.name = "email-insights",
	.version = "1.0.0",
	.config_schema = config_schema,
	.capabilities = capabilities,
	.start = worker_start,
	.stop = worker_stop};
