/* reeve batch ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_JOBS = 5000, CHUNK_BYTES = 16 << 20 }; /* of one request */

static uint64_t count(const json_t *batch, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(batch, "counts"), name));
}

static bool is_over(const json_t *batch)
{
	return json_is_string(json_object_get(batch, "finished_at"));
}

static int outcome(const json_t *batch)
{
	return strcmp(json_text(batch, "status"), "completed") == 0 ? EXIT_OK : EXIT_FAILED;
}

static int print_batch(const json_t *batch, bool json)
{
	size_t i;
	json_t *id;
	if (json) {
		print_json(batch);
		return EXIT_OK;
	}
	printf("%s  %s  %s  %d %%\n", json_text(batch, "batch_id"), json_text(batch, "name"), json_text(batch, "status"),
		(int)json_integer_value(json_object_get(batch, "percent")));
	printf("  jobs %" PRIu64 ": %" PRIu64 " wait, %" PRIu64 " run, %" PRIu64 " completed, %" PRIu64 " failed, %" PRIu64
		   " cancelled\n",
		count(batch, "total"), count(batch, "scheduled") + count(batch, "pending"), count(batch, "processing"),
		count(batch, "completed"), count(batch, "failed"), count(batch, "cancelled"));
	if (json_object_get(batch, "then_job_id"))
		printf("  followed by job %s\n", json_text(batch, "then_job_id"));
	json_array_foreach(json_object_get(batch, "failed_jobs"), i, id)
		printf("%s%s", i ? " " : "  failed: ", json_string_value(id));
	if (json_array_size(json_object_get(batch, "failed_jobs")))
		putchar('\n');
	return EXIT_OK;
}

static int wait_batch(const char *id, bool json)
{
	scoped(mem_free_at) char *path = url_path("/v1/batches/", id, "?wait=500ms");
	for (;;) {
		struct reply r;
		int code = client_get_patiently(path, &r);
		if (code)
			return code;
		if (is_over(r.json)) {
			progress_end();
			print_batch(r.json, json);
			code = outcome(r.json);
			reply_fini(&r);
			return code;
		}
		char note[64];
		uint64_t ended = count(r.json, "completed") + count(r.json, "failed") + count(r.json, "cancelled");
		snprintf(note, sizeof note, "%" PRIu64 " of %" PRIu64 " jobs, %" PRIu64 " failed", ended,
			count(r.json, "total"), count(r.json, "failed"));
		progress_show(json_text(r.json, "status"), ended, count(r.json, "total"), note);
		reply_fini(&r);
	}
}

/* ── submit ── */

static const struct option_spec submit_options[] = {
	{"name", 0, "NAME", "what people call it"},
	{"namespace", 'n', "NAME", "whose it and its jobs are (default `default`)"},
	{"max-failures", 0, "N", "so many jobs may fail, and it has still completed (default 0)"},
	{"callback", 0, "URL", "tell this URL by a POST when it is over"},
	{"then", 0, "JSON", "a job that follows when it has completed: JSON text, @FILE or -"},
	{"wait", 'w', NULL, "follow it to its end; the exit code is the batch's"},
	{0},
};

static int batch_head(const struct args *a, json_t **out)
{
	uint64_t failures = 0;
	int code = input_number(a, "max-failures", 10000000, &failures);
	if (code)
		return code;
	json_t *head = json_object();
	if (arg_option(a, "name"))
		json_object_set_new(head, "name", json_string(arg_option(a, "name")));
	if (arg_option(a, "namespace"))
		json_object_set_new(head, "namespace", json_string(arg_option(a, "namespace")));
	if (arg_option(a, "max-failures"))
		json_object_set_new(head, "max_failures", json_integer((json_int_t)failures));
	if (arg_option(a, "callback"))
		json_object_set_new(head, "callback", json_pack("{s:s}", "url", arg_option(a, "callback")));
	if (arg_option(a, "then")) {
		scoped(mem_free_at) char *then = NULL;
		if ((code = input_argument(arg_option(a, "then"), &then))) {
			json_decref(head);
			return code;
		}
		json_object_set_new(head, "then", json_loads(then, JSON_DECODE_ANY, NULL));
	}
	*out = head;
	return EXIT_OK;
}

struct lines { /* jobs of a file, one a line */
	const char *at, *end;
};

/* ,"jobs":[...] of the next lines. How many they are. */
static size_t add_jobs(struct lines *l, struct buf *body)
{
	size_t n = 0;
	buf_text(body, "\"jobs\":[");
	while (l->at < l->end && n < CHUNK_JOBS && body->size < CHUNK_BYTES) {
		const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
		size_t size = (size_t)((stop ? stop : l->end) - l->at);
		if (strspn(l->at, " \t\r") < size) {
			buf_text(body, n++ ? "," : "");
			buf_add(body, l->at, size);
		}
		l->at += size + (stop != NULL);
	}
	buf_text(body, "]}");
	return n;
}

static int post(const char *path, struct bytes body, struct reply *r)
{
	return client_request("POST", path, NULL, body, r);
}

/* The rest of the file, chunk by chunk; then it is closed. */
static int add_rest(const char *id, struct lines *l, uint64_t done)
{
	scoped(mem_free_at) char *jobs = url_path("/v1/batches/", id, "/jobs"),
							 *close = url_path("/v1/batches/", id, "/close");
	struct reply r;
	int code = EXIT_OK;
	while (!code && l->at < l->end) {
		scoped(buf_fini) struct buf body = {0};
		buf_text(&body, "{");
		size_t n = add_jobs(l, &body);
		if (!n)
			break;
		if (!(code = post(jobs, buf_bytes(&body), &r)))
			reply_fini(&r);
		done += n;
		progress_show("submitting", done, 0, "jobs");
	}
	progress_end();
	if (code || (code = post(close, (struct bytes){0}, &r))) {
		fprintf(stderr, "reeve: the batch %s is open, with the first %" PRIu64 " jobs\n", id, done);
		return code;
	}
	reply_fini(&r);
	return EXIT_OK;
}

/* In one request when they fit; else the batch is open until the last one is there. */
static int submit_lines(json_t *head, struct lines l, char **id)
{
	struct reply r;
	scoped(buf_fini) struct buf jobs = {0}, body = {0};
	size_t n = add_jobs(&l, &jobs);
	if (!n)
		return complain(EXIT_USAGE, "there is no job in the file: one JSON object a line is needed");
	bool more = l.at < l.end;
	if (more)
		json_object_set_new(head, "open", json_true());
	scoped(mem_free_at) char *text = json_dumps(head, JSON_COMPACT);
	buf_add(&body, text, strlen(text) - 1);
	buf_text(&body, json_object_size(head) ? "," : "");
	buf_add(&body, jobs.data, jobs.size);
	int code = post("/v1/batches", buf_bytes(&body), &r);
	if (code)
		return code;
	*id = mem_text(json_text(r.json, "batch_id"));
	reply_fini(&r);
	return more ? add_rest(*id, &l, n) : EXIT_OK;
}

static int batch_submit(const struct args *a)
{
	size_t size;
	json_t *head;
	scoped(mem_free_at) char *id = NULL, *text = read_file(a->operands[0], &size);
	if (!text)
		return EXIT_USAGE;
	int code = batch_head(a, &head);
	if (code)
		return code;
	code = submit_lines(head, (struct lines){text, text + size}, &id);
	json_decref(head);
	if (code)
		return code;
	if (arg_option(a, "wait"))
		return wait_batch(id, a->json);
	if (a->json)
		printf("{\"batch_id\":\"%s\"}\n", id);
	else
		printf("%s\n", id);
	return EXIT_OK;
}

/* ── look ── */

static int batch_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/batches/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_batch(r.json, a->json);
	reply_fini(&r);
	return EXIT_OK;
}

static int batch_wait(const struct args *a)
{
	return wait_batch(a->operands[0], a->json);
}

static const struct option_spec list_options[] = {
	{"namespace", 'n', "NAME", "only of this namespace"},
	{"limit", 'l', "N", "at most so many (default 100)"},
	{"cursor", 0, "CURSOR", "go on where an earlier list ended"},
	{0},
};

static int batch_list(const struct args *a)
{
	static const char *const headings[] = {"BATCH", "NAME", "STATUS", "%", "JOBS", "COMPLETED", "FAILED", "AGE", NULL};
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	int code;
	buf_text(&path, "/v1/batches");
	url_add_option(&path, a, "limit");
	url_add_option(&path, a, "namespace");
	url_add_option(&path, a, "cursor");
	if (!client_show(a, path.data, &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *batch;
	json_array_foreach(json_object_get(r.json, "batches"), i, batch)
	{
		scoped(mem_free_at) char *age = ago(json_object_get(batch, "created_at"));
		table_add(t, json_text(batch, "batch_id"));
		table_add(t, json_text(batch, "name"));
		table_add(t, json_text(batch, "status"));
		table_addf(t, "%d", (int)json_integer_value(json_object_get(batch, "percent")));
		table_addf(t, "%" PRIu64, count(batch, "total"));
		table_addf(t, "%" PRIu64, count(batch, "completed"));
		table_addf(t, "%" PRIu64, count(batch, "failed"));
		table_add(t, age);
	}
	table_print(t);
	client_print_more(&r);
	reply_fini(&r);
	return EXIT_OK;
}

static int batch_cancel(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/batches/", a->operands[0], "");
	return client_do(a, "DELETE", path);
}

/* The job_id of the last line of a page. */
static bool last_id(struct bytes page, char id[14])
{
	static const char before[] = "{\"job_id\":\"";
	if (page.size < 2)
		return false;
	const char *at = memrchr(page.data, '\n', page.size - 1);
	at = at ? at + 1 : page.data;
	if ((size_t)(page.data + page.size - at) < sizeof before + 13 || memcmp(at, before, sizeof before - 1) != 0)
		return false;
	memcpy(id, at + sizeof before - 1, 13);
	id[13] = 0;
	return true;
}

static int batch_results(const struct args *a)
{
	char id[14] = "";
	for (;;) {
		char query[64];
		struct reply r;
		snprintf(query, sizeof query, "/results?limit=1000%s%s", *id ? "&after=" : "", id);
		scoped(mem_free_at) char *path = url_path("/v1/batches/", a->operands[0], query);
		int code = client_get_patiently(path, &r);
		if (code)
			return code;
		fwrite(r.body.data, 1, r.body.size, stdout);
		bool more = last_id(buf_bytes(&r.body), id);
		reply_fini(&r);
		if (!more)
			return EXIT_OK;
	}
}

const struct command batch_commands[] = {
	{"batch", "submit", "FILE", "Submit jobs as one batch: a file (- for stdin) with one JSON object a line",
		submit_options, 1, 1, batch_submit},
	{"batch", "list", "", "List batches, newest first", list_options, 0, 0, batch_list},
	{"batch", "show", "ID", "Show a batch: counts, and jobs that failed", NULL, 1, 1, batch_show},
	{"batch", "wait", "ID", "Follow a batch to its end; the exit code is the batch's", NULL, 1, 1, batch_wait},
	{"batch", "cancel", "ID", "Cancel a batch and its jobs", NULL, 1, 1, batch_cancel},
	{"batch", "results", "ID", "Print its jobs with their results, a JSON line each", NULL, 1, 1, batch_results},
	{0},
};
