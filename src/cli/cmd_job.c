/* reeve job ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_job(const json_t *job, bool json)
{
	if (json) {
		print_json(job);
		return EXIT_OK;
	}
	const json_t *error = json_object_get(job, "error");
	printf("%s  %s  %s\n", json_text(job, "job_id"), json_text(job, "capability"), json_text(job, "status"));
	printf("  priority %d, attempts %d, submitted %s\n", (int)json_integer_value(json_object_get(job, "priority")),
		(int)json_integer_value(json_object_get(job, "attempts")), json_text(job, "submitted_at"));
	if (json_is_object(error))
		printf("  error: %s: %s\n", json_text(error, "code"), json_text(error, "message"));
	const json_t *result = json_object_get(job, "result");
	if (result && !json_is_null(result)) {
		printf("  result: ");
		print_json(result);
	}
	return EXIT_OK;
}

/* The job's own outcome, as an exit code. */
static int outcome(const json_t *job)
{
	return strcmp(json_text(job, "status"), "completed") == 0 ? EXIT_OK : EXIT_FAILED;
}

static bool is_over(const json_t *job)
{
	static const char *const over[] = {"completed", "failed", "cancelled"};
	for (size_t i = 0; i < ARRAY_SIZE(over); i++)
		if (strcmp(json_text(job, "status"), over[i]) == 0)
			return true;
	return false;
}

static int wait_job(const char *id, bool json)
{
	scoped(mem_free_at) char *path = url_path("/v1/jobs/", id, "?wait=500ms");
	for (;;) {
		struct reply r;
		int code = client_get_patiently(path, &r);
		if (code)
			return code;
		const json_t *progress = json_object_get(r.json, "progress");
		if (is_over(r.json)) {
			progress_end();
			print_job(r.json, json);
			code = outcome(r.json);
			reply_fini(&r);
			return code;
		}
		progress_show(json_text(r.json, "status"), (uint64_t)json_integer_value(json_object_get(progress, "percent")),
			100, json_string_value(json_object_get(progress, "message")));
		reply_fini(&r);
	}
}

/* ── submit ── */

static const struct option_spec submit_options[] = {
	{"input", 'i', "JSON", "the input: JSON text, @FILE or - for stdin (default {})"},
	{"priority", 'p', "0-9", "9 is most urgent (default 5)"},
	{"delay", 0, "DURATION", "not before this has passed: 5s, 2m, 1h"},
	{"run-at", 0, "TIME", "not before this time (RFC 3339)"},
	{"ttl", 0, "DURATION", "fails when it was not started by then"},
	{"deadline", 0, "TIME", "fails when it has not ended by then (RFC 3339)"},
	{"timeout", 0, "DURATION", "limit of one attempt (default 15m)"},
	{"max-attempts", 0, "N", "tries before it becomes a dead letter"},
	{"retry-delay", 0, "DURATION", "wait after the first failure, doubled each time"},
	{"retry-cap", 0, "DURATION", "the longest wait"},
	{"unique", 'u', NULL, "give an earlier job of the same key that is not over"},
	{"unique-key", 0, "KEY", "the key of --unique (default: the input)"},
	{"unique-period", 0, "DURATION", "--unique for so long only"},
	{"unique-states", 0, "LIST", "states of the earlier job (scheduled,pending,processing)"},
	{"traceparent", 0, "TEXT", "W3C Trace Context (default $TRACEPARENT)"},
	{"idempotency-key", 'k', "KEY", "the same key gives the same job"},
	{"key", 0, "KEY", "a tenant, say: keys take turns, and limits count by key"},
	{"namespace", 'n', "NAME", "whose job it is (default `default`)"},
	{"tag", 't', "TAG", "a tag; may be given again"},
	{"ndjson", 0, "FILE", "submit the jobs of a file (- for stdin), one JSON object a line"},
	{"callback", 0, "URL", "tell this URL by a POST when it is over"},
	{"wait", 'w', NULL, "wait for the end; the exit code is the job's"},
	{0},
};

static void add_text(json_t *job, const struct args *a, const char *option, const char *member)
{
	if (arg_option(a, option))
		json_object_set_new(job, member, json_string(arg_option(a, option)));
}

static int add_number(json_t *job, const struct args *a, const char *option, const char *member, uint64_t max)
{
	uint64_t n;
	int code = input_number(a, option, max, &n);
	if (!code && arg_option(a, option))
		json_object_set_new(job, member, json_integer((json_int_t)n));
	return code;
}

static json_t *words(const char *list)
{
	json_t *all = json_array();
	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		json_array_append_new(all, json_stringn(list, n));
	}
	return all;
}

static void add_unique(json_t *job, const struct args *a)
{
	json_t *unique = json_object();
	add_text(unique, a, "unique-key", "key");
	add_text(unique, a, "unique-period", "period");
	if (arg_option(a, "unique-states"))
		json_object_set_new(unique, "states", words(arg_option(a, "unique-states")));
	if (arg_option(a, "unique") || json_object_size(unique))
		json_object_set_new(job, "unique", unique);
	else
		json_decref(unique);
}

static void add_trace(json_t *job, const struct args *a)
{
	const char *given = arg_option(a, "traceparent"), *text = given ? given : getenv("TRACEPARENT");
	if (text && *text)
		json_object_set_new(job, "traceparent", json_string(text));
}

static int submit_body(const struct args *a, json_t **out)
{
	scoped(mem_free_at) char *input = NULL;
	int code = input_argument(arg_option(a, "input") ? arg_option(a, "input") : "{}", &input);
	if (code)
		return code;
	json_t *job =
		json_pack("{s:s, s:o}", "capability", a->operands[0], "input", json_loads(input, JSON_DECODE_ANY, NULL));
	add_text(job, a, "delay", "delay");
	add_text(job, a, "run-at", "run_at");
	add_text(job, a, "ttl", "ttl");
	add_text(job, a, "deadline", "deadline");
	add_text(job, a, "timeout", "timeout");
	add_text(job, a, "retry-delay", "retry_delay");
	add_text(job, a, "retry-cap", "retry_cap");
	add_unique(job, a);
	add_trace(job, a);
	add_text(job, a, "idempotency-key", "idempotency_key");
	add_text(job, a, "key", "key");
	add_text(job, a, "namespace", "namespace");
	if (arg_option(a, "callback"))
		json_object_set_new(job, "callback", json_pack("{s:s}", "url", arg_option(a, "callback")));
	code = add_number(job, a, "priority", "priority", 9);
	if (!code)
		code = add_number(job, a, "max-attempts", "max_attempts", 1000);
	for (int i = 0; i < a->repeated_n; i++) {
		if (!json_object_get(job, "tags"))
			json_object_set_new(job, "tags", json_array());
		json_array_append_new(json_object_get(job, "tags"), json_string(a->repeated[i]));
	}
	if (code) {
		json_decref(job);
		return code;
	}
	*out = job;
	return EXIT_OK;
}

/* ── a job a line ── */

struct sending {
	bool json;
	uint64_t refused;
};

/* Of a job: its id to stdout, or why it was refused to stderr. The last one counts. */
static bool show_answer(void *context, struct bytes line)
{
	struct sending *s = context;
	json_t *answer = json_loadb(line.data, line.size, 0, NULL);
	const char *id = json_string_value(json_object_get(answer, "job_id"));
	const json_t *detail = json_object_get(answer, "detail"), *pointer = json_object_get(answer, "pointer");
	if (s->json)
		printf("%.*s\n", (int)line.size, line.data);
	else if (id)
		printf("%s\n", id);
	else if (!detail)
		fprintf(stderr, "%lld submitted, %lld were there, %lld refused\n",
			json_integer_value(json_object_get(answer, "submitted")),
			json_integer_value(json_object_get(answer, "existing")),
			json_integer_value(json_object_get(answer, "refused")));
	if (detail) {
		s->refused++;
		complain(EXIT_FAILED, "line %lld: %s%s%s", json_integer_value(json_object_get(answer, "line")),
			json_string_value(detail), pointer ? " at " : "", pointer ? json_string_value(pointer) : "");
	}
	json_decref(answer);
	return true;
}

static int submit_lines(const struct args *a)
{
	struct sending s = {.json = a->json};
	scoped(buf_fini) struct buf path = {0};
	if (a->operand_n)
		return complain(EXIT_USAGE, "--ndjson: every line names its capability, so CAPABILITY is not for here");
	buf_text(&path, "/v1/jobs");
	url_add_option(&path, a, "namespace");
	int code = client_send_lines(path.data, arg_option(a, "ndjson"), show_answer, &s);
	return code ? code : s.refused ? EXIT_FAILED : EXIT_OK;
}

static int job_submit(const struct args *a)
{
	json_t *job;
	struct reply r;
	if (arg_option(a, "ndjson"))
		return submit_lines(a);
	if (!a->operand_n)
		return complain(EXIT_USAGE, "CAPABILITY is missing: reeve job submit CAPABILITY, or --ndjson FILE");
	int code = submit_body(a, &job);
	if (code)
		return code;
	scoped(mem_free_at) char *text = json_dumps(job, JSON_COMPACT);
	json_decref(job);
	if ((code = client_request("POST", "/v1/jobs", NULL, bytes_of(text), &r)))
		return code;
	if (arg_option(a, "wait"))
		code = wait_job(json_text(r.json, "job_id"), a->json);
	else if (a->json)
		print_json(r.json);
	else
		printf("%s\n", json_text(r.json, "job_id"));
	reply_fini(&r);
	return code;
}

/* ── look ── */

static int job_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/jobs/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_job(r.json, a->json);
	reply_fini(&r);
	return EXIT_OK;
}

static int job_wait(const struct args *a)
{
	int worst = EXIT_OK;
	for (int i = 0; i < a->operand_n; i++) {
		int code = wait_job(a->operands[i], a->json);
		if (code > worst)
			worst = code;
	}
	return worst;
}

static const struct option_spec list_options[] = {
	{"status", 's', "STATUS", "scheduled, pending, processing, completed, failed or cancelled"},
	{"capability", 'c', "NAME", "only of this capability"},
	{"namespace", 'n', "NAME", "only of this namespace"},
	{"key", 0, "KEY", "only of this key (tenant)"},
	{"tag", 't', "TAG", "only with this tag"},
	{"limit", 'l', "N", "at most so many (default 100)"},
	{"cursor", 0, "CURSOR", "go on where an earlier list ended"},
	{0},
};

static int job_list(const struct args *a)
{
	static const char *const names[] = {"status", "capability", "namespace", "key", "tag", "limit", "cursor", NULL};
	static const char *const headings[] = {
		"JOB", "NAMESPACE", "CAPABILITY", "STATUS", "PRIORITY", "ATTEMPTS", "AGE", NULL};
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	buf_text(&path, "/v1/jobs");
	for (const char *const *name = names; *name; name++)
		url_add_option(&path, a, *name);
	int code;
	if (!client_show(a, path.data, &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *job;
	json_array_foreach(json_object_get(r.json, "jobs"), i, job)
	{
		scoped(mem_free_at) char *age = ago(json_object_get(job, "submitted_at"));
		table_add(t, json_text(job, "job_id"));
		table_add(t, json_text(job, "namespace"));
		table_add(t, json_text(job, "capability"));
		table_add(t, json_text(job, "status"));
		table_addf(t, "%d", (int)json_integer_value(json_object_get(job, "priority")));
		table_addf(t, "%d", (int)json_integer_value(json_object_get(job, "attempts")));
		table_add(t, age);
	}
	table_print(t);
	client_print_more(&r);
	reply_fini(&r);
	return EXIT_OK;
}

static int job_cancel(const struct args *a)
{
	int worst = EXIT_OK;
	for (int i = 0; i < a->operand_n; i++) {
		struct reply r;
		scoped(mem_free_at) char *path = url_path("/v1/jobs/", a->operands[i], "");
		int code = client_request("DELETE", path, NULL, (struct bytes){0}, &r);
		if (code > worst)
			worst = code;
		if (!code && a->json)
			print_json(r.json);
		if (!code)
			reply_fini(&r);
	}
	return worst;
}

static const struct option_spec move_options[] = {
	{"priority", 'p', "0-9", "9 is most urgent"},
	{"capability", 'c', "NAME", "into the queue of this capability"},
	{"namespace", 'n', "NAME", "into the queue of this namespace"},
	{0},
};

static int job_move(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/jobs/", a->operands[0], ""), *text = NULL;
	json_t *to = json_object();
	int code = add_number(to, a, "priority", "priority", 9);
	add_text(to, a, "capability", "capability");
	add_text(to, a, "namespace", "namespace");
	text = json_dumps(to, JSON_COMPACT);
	json_decref(to);
	if (!code)
		code = client_request("PATCH", path, NULL, bytes_of(text), &r);
	if (code)
		return code;
	print_job(r.json, a->json);
	reply_fini(&r);
	return EXIT_OK;
}

static int job_items(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/jobs/", a->operands[0], "/items");
	return client_download(path, "-");
}

static const struct option_spec invoke_options[] = {
	{"input", 'i', "JSON", "the input: JSON text, @FILE or - for stdin (default {})"},
	{"timeout", 0, "DURATION", "how long to wait for the answer (default 30s)"},
	{0},
};

static int job_invoke(const struct args *a)
{
	scoped(mem_free_at) char *input = NULL, *escaped = NULL;
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	int code = input_argument(arg_option(a, "input") ? arg_option(a, "input") : "{}", &input);
	if (code)
		return code;
	escaped = url_path("/v1/invoke/", a->operands[0], "");
	buf_text(&path, escaped);
	url_add_option(&path, a, "timeout");
	if ((code = client_request("POST", path.data, NULL, bytes_of(input), &r)))
		return code;
	if (r.json)
		print_json(r.json);
	else
		fwrite(r.body.data, 1, r.body.size, stdout);
	reply_fini(&r);
	return EXIT_OK;
}

const struct command job_commands[] = {
	{"job", "submit", "[CAPABILITY]", "Submit a durable job, or with --ndjson many", submit_options, 0, 1, job_submit},
	{"job", "list", "", "List jobs, newest first", list_options, 0, 0, job_list},
	{"job", "show", "ID", "Show a job with its result", NULL, 1, 1, job_show},
	{"job", "wait", "ID...", "Wait for jobs to end; the exit code is theirs", NULL, 1, -1, job_wait},
	{"job", "cancel", "ID...", "Cancel waiting or running jobs", NULL, 1, -1, job_cancel},
	{"job", "move", "ID", "Move a waiting job to another priority or queue", move_options, 1, 1, job_move},
	{"job", "items", "ID", "Print a job's items, a JSON line each", NULL, 1, 1, job_items},
	{"job", "invoke", "CAPABILITY", "Call a capability and print its answer (not durable)", invoke_options, 1, 1,
		job_invoke},
	{0},
};
