/* reeve run ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t count(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* The furthest step that moves, with its numbers. */
static void show_progress(const json_t *run)
{
	size_t i;
	json_t *step;
	json_t *at = NULL;
	json_array_foreach(json_object_get(run, "steps"), i, step)
	{
		const char *status = json_text(step, "status");
		if (strcmp(status, "running") == 0 || strcmp(status, "gathering") == 0)
			at = step;
	}
	if (!at)
		return;
	char note[128] = "";
	uint64_t total = count(at, "total"), ended = count(at, "completed") + count(at, "failed");
	if (total)
		snprintf(note, sizeof note, "%" PRIu64 " of %" PRIu64 " items, %" PRIu64 " failed", ended, total,
			count(at, "failed"));
	json_t *percent = json_object_get(at, "percent");
	if (percent)
		progress_show(json_text(at, "id"), (uint64_t)json_integer_value(percent), 100, note);
	else
		progress_show(json_text(at, "id"), ended, 0, note);
}

int run_follow(const char *run_id, bool quiet, json_t **run)
{
	scoped(mem_free_at) char *path = url_path("/v1/runs/", run_id, "?wait=250ms");
	for (;;) {
		struct reply r;
		int code = client_get_patiently(path, &r);
		if (code)
			return code;
		if (strcmp(json_text(r.json, "status"), "running") != 0) {
			progress_end();
			*run = json_incref(r.json);
			reply_fini(&r);
			return EXIT_OK;
		}
		if (!quiet)
			show_progress(r.json);
		reply_fini(&r);
	}
}

static int print_run(const json_t *run, bool json)
{
	static const char *const headings[] = {"STEP", "CAPABILITY", "STATUS", "ITEMS", "FAILED", NULL};
	if (json) {
		print_json(run);
		return EXIT_OK;
	}
	printf("%s  %s  %s\n", json_text(run, "run_id"), json_text(run, "pipeline"), json_text(run, "status"));
	const json_t *error = json_object_get(run, "error");
	if (error)
		printf("error: %s: %s\n", json_text(error, "code"), json_text(error, "message"));
	struct table *t = table_new(headings);
	size_t i;
	json_t *step;
	json_array_foreach(json_object_get(run, "steps"), i, step)
	{
		table_add(t, json_text(step, "id"));
		table_add(t, json_text(step, "capability"));
		table_add(t, json_text(step, "status"));
		table_addf(t, "%" PRIu64, count(step, "total"));
		table_addf(t, "%" PRIu64, count(step, "failed"));
	}
	table_print(t);
	return EXIT_OK;
}

static int outcome(const json_t *run)
{
	return strcmp(json_text(run, "status"), "completed") == 0 ? EXIT_OK : EXIT_FAILED;
}

static int run_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/runs/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_run(r.json, a->json);
	reply_fini(&r);
	return EXIT_OK;
}

static int run_wait(const struct args *a)
{
	json_t *run;
	int code = run_follow(a->operands[0], a->json, &run);
	if (code)
		return code;
	print_run(run, a->json);
	code = outcome(run);
	json_decref(run);
	return code;
}

static const struct option_spec list_options[] = {
	{"pipeline", 'p', "NAME", "only of this pipeline"},
	{"namespace", 'n', "NAME", "only of this namespace"},
	{"limit", 'l', "N", "at most so many (default 100)"},
	{"cursor", 0, "CURSOR", "go on where an earlier list ended"},
	{0},
};

static int run_list(const struct args *a)
{
	static const char *const headings[] = {"RUN", "PIPELINE", "STATUS", "ITEMS", "FAILED", "AGE", NULL};
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	buf_text(&path, "/v1/runs");
	url_add_option(&path, a, "limit");
	url_add_option(&path, a, "pipeline");
	url_add_option(&path, a, "namespace");
	url_add_option(&path, a, "cursor");
	int code;
	if (!client_show(a, path.data, &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *run;
	json_array_foreach(json_object_get(r.json, "runs"), i, run)
	{
		scoped(mem_free_at) char *age = ago(json_object_get(run, "submitted_at"));
		table_add(t, json_text(run, "run_id"));
		table_add(t, json_text(run, "pipeline"));
		table_add(t, json_text(run, "status"));
		table_addf(t, "%" PRIu64, count(run, "items"));
		table_addf(t, "%" PRIu64, count(run, "items_failed"));
		table_add(t, age);
	}
	table_print(t);
	client_print_more(&r);
	reply_fini(&r);
	return EXIT_OK;
}

static int run_cancel(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/runs/", a->operands[0], "");
	return client_do(a, "DELETE", path);
}

static const struct option_spec items_options[] = {{"output", 'o', "FILE", "where to (default stdout)"}, {0}};

static int run_items(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/runs/", a->operands[0], "/items");
	return client_download(path, arg_option(a, "output") ? arg_option(a, "output") : "-");
}

const struct command run_commands[] = {
	{"run", "list", "", "List runs of pipelines, newest first", list_options, 0, 0, run_list},
	{"run", "show", "ID", "Show a run with its steps", NULL, 1, 1, run_show},
	{"run", "wait", "ID", "Follow a run to its end; the exit code is the run's", NULL, 1, 1, run_wait},
	{"run", "cancel", "ID", "Cancel a running run and its jobs", NULL, 1, 1, run_cancel},
	{"run", "items", "ID", "Print a run's items with their results, a JSON line each", items_options, 1, 1, run_items},
	{0},
};
