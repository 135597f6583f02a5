/* reeve pipeline ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pipeline_list(const struct args *a)
{
	static const char *const headings[] = {"PIPELINE", "VERSION", "STEPS", "DESCRIPTION", NULL};
	struct reply r;
	int code;
	if (!client_show(a, "/v1/pipelines", &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *p;
	json_array_foreach(json_object_get(r.json, "pipelines"), i, p)
	{
		table_add(t, json_text(p, "name"));
		table_add(t, json_text(p, "version"));
		table_addf(t, "%zu", json_array_size(json_object_get(p, "steps")));
		table_add(t, json_text(p, "description"));
	}
	table_print(t);
	reply_fini(&r);
	return EXIT_OK;
}

static int pipeline_show(const struct args *a)
{
	static const char *const headings[] = {"STEP", "CAPABILITY", "MODE", "SOURCE", "OF", NULL};
	static const char *const sources[] = {"after", "each", "gather"};
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/pipelines/", a->operands[0], "");
	int code;
	if (!client_show(a, path, &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *s;
	json_array_foreach(json_object_get(r.json, "steps"), i, s)
	{
		const char *source = "run", *of = NULL;
		for (size_t k = 0; k < ARRAY_SIZE(sources); k++)
			if (json_object_get(s, sources[k])) {
				source = sources[k];
				of = json_text(s, source);
			}
		table_add(t, json_text(s, "id"));
		table_add(t, json_text(s, "capability"));
		table_add(t, json_text(s, "mode"));
		table_add(t, source);
		table_add(t, of);
	}
	table_print(t);
	reply_fini(&r);
	return EXIT_OK;
}

/* ── run ── */

static const struct option_spec run_options[] = {
	{"input", 'i', "FILE", "a file (or - for stdin) that the run gets as a blob"},
	{"data", 'd', "JSON", "members of the run's input: a JSON object, @FILE or -"},
	{"set", 's', "NAME=JSON", "one member of the run's input; may be given again"},
	{"output", 'o', "FILE", "where the result goes (default stdout)"},
	{"items", 0, "FILE", "where the items go, a JSON line each"},
	{"allow-failed", 0, "N", "exit 0 when at most N items failed (default 0)"},
	{"priority", 'p', "0-9", "of the run's jobs (default 5)"},
	{"namespace", 'n', "NAME", "whose run it is"},
	{"detach", 0, NULL, "print the run's id and do not wait"},
	{0},
};

static int set_members(const struct args *a, json_t *input)
{
	for (int i = 0; i < a->repeated_n; i++) {
		const char *equals = strchr(a->repeated[i], '=');
		json_t *value = equals ? json_loads(equals + 1, JSON_DECODE_ANY, NULL) : NULL;
		if (!value)
			return complain(
				EXIT_USAGE, "--set %s: NAME=JSON is needed (a string in quotes: NAME='\"text\"')", a->repeated[i]);
		scoped(mem_free_at) char *name = mem_copy(a->repeated[i], (size_t)(equals - a->repeated[i]));
		json_object_set_new(input, name, value);
	}
	return EXIT_OK;
}

static int make_input(const struct args *a, json_t **out)
{
	scoped(mem_free_at) char *data = NULL, *blob = NULL;
	int code = input_argument(arg_option(a, "data") ? arg_option(a, "data") : "{}", &data);
	if (code)
		return code;
	json_t *input = json_loads(data, 0, NULL);
	if (!json_is_object(input)) {
		json_decref(input);
		return complain(EXIT_USAGE, "--data: a JSON object is needed");
	}
	code = set_members(a, input);
	if (!code && arg_option(a, "input"))
		code = client_upload(arg_option(a, "input"), &blob, true);
	if (!code && blob)
		json_object_set_new(input, "blob", json_string(blob));
	if (code)
		json_decref(input);
	else
		*out = input;
	return code;
}

static int start(const struct args *a, struct reply *r)
{
	json_t *input = NULL;
	uint64_t priority = 5, ignored;
	int code = input_number(a, "priority", 9, &priority);
	if (!code)
		code = input_number(a, "allow-failed", UINT64_MAX, &ignored); /* before the work, not after it */
	if (!code)
		code = make_input(a, &input);
	if (code)
		return code;
	json_t *body = json_pack("{s:o, s:I}", "input", input, "priority", (json_int_t)priority);
	if (arg_option(a, "namespace"))
		json_object_set_new(body, "namespace", json_string(arg_option(a, "namespace")));
	scoped(mem_free_at) char *text = json_dumps(body, JSON_COMPACT);
	scoped(mem_free_at) char *path = url_path("/v1/pipelines/", a->operands[0], "/runs");
	json_decref(body);
	return client_request("POST", path, NULL, bytes_of(text), r);
}

static int write_result(const json_t *result, const char *file)
{
	if (!file || strcmp(file, "-") == 0) {
		print_json(result);
		return EXIT_OK;
	}
	scoped(buf_fini) struct buf temporary = {0};
	buf_format(&temporary, "%s.part", file);
	if (json_dump_file(result, temporary.data, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0 ||
		rename(temporary.data, file) != 0)
		return complain(EXIT_FAILED, "%s: %m", file);
	return EXIT_OK;
}

static int write_items(const struct args *a, const json_t *run)
{
	if (!arg_option(a, "items") || !json_is_string(json_object_get(run, "items_blob")))
		return EXIT_OK;
	scoped(mem_free_at) char *path = url_path("/v1/blobs/", json_text(run, "items_blob"), "");
	return client_download(path, arg_option(a, "items"));
}

static int judge(const struct args *a, const json_t *run)
{
	uint64_t failed = (uint64_t)json_integer_value(json_object_get(run, "items_failed"));
	uint64_t items = (uint64_t)json_integer_value(json_object_get(run, "items"));
	uint64_t allowed = 0;
	input_number(a, "allow-failed", UINT64_MAX, &allowed);
	const json_t *error = json_object_get(run, "error");
	if (strcmp(json_text(run, "status"), "completed") != 0)
		return complain(EXIT_FAILED, "run %s %s: %s: %s", json_text(run, "run_id"), json_text(run, "status"),
			json_text(error, "code"), json_text(error, "message"));
	if (failed > allowed)
		return complain(EXIT_FAILED,
			"run %s: %" PRIu64 " of %" PRIu64 " items failed (--allow-failed %" PRIu64 " would accept them)",
			json_text(run, "run_id"), failed, items, failed);
	return EXIT_OK;
}

static int finish(const struct args *a, const char *run_id)
{
	json_t *run;
	int code = run_follow(run_id, false, &run);
	if (code)
		return code;
	if (strcmp(json_text(run, "status"), "completed") == 0) {
		code = write_items(a, run);
		if (!code)
			code = write_result(json_object_get(run, "result"), arg_option(a, "output"));
	}
	int verdict = judge(a, run);
	json_decref(run);
	return code ? code : verdict;
}

static int pipeline_run(const struct args *a)
{
	struct reply r;
	int code = start(a, &r);
	if (code)
		return code;
	if (arg_option(a, "detach") && a->json)
		print_json(r.json);
	else if (arg_option(a, "detach"))
		printf("%s\n", json_text(r.json, "run_id"));
	else
		code = finish(a, json_text(r.json, "run_id"));
	reply_fini(&r);
	return code;
}

const struct command pipeline_commands[] = {
	{"pipeline", "list", "", "List pipelines", NULL, 0, 0, pipeline_list},
	{"pipeline", "show", "NAME", "Show a pipeline's steps", NULL, 1, 1, pipeline_show},
	{"pipeline", "run", "NAME", "Run a pipeline and wait for its result", run_options, 1, 1, pipeline_run},
	{0},
};
