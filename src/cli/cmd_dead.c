/* reeve dead ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static const struct option_spec list_options[] = {
	{"capability", 'c', "NAME", "only of this capability"},
	{"limit", 'l', "N", "at most so many (default 100)"},
	{0},
};

static int fetch(const struct args *a, struct reply *r)
{
	scoped(buf_fini) struct buf path = {0};
	buf_text(&path, "/v1/dead");
	url_add_option(&path, a, "limit");
	url_add_option(&path, a, "capability");
	return client_get(path.data, r);
}

static int dead_list(const struct args *a)
{
	static const char *const headings[] = {"JOB", "CAPABILITY", "ATTEMPTS", "CODE", "REASON", NULL};
	struct reply r;
	int code = fetch(a, &r);
	if (code)
		return code;
	if (a->json) {
		print_json(r.json);
		reply_fini(&r);
		return EXIT_OK;
	}
	struct table *t = table_new(headings);
	size_t i;
	json_t *job;
	json_array_foreach(json_object_get(r.json, "dead"), i, job)
	{
		const json_t *error = json_object_get(job, "error");
		table_add(t, json_text(job, "job_id"));
		table_add(t, json_text(job, "capability"));
		table_addf(t, "%d", (int)json_integer_value(json_object_get(job, "attempts")));
		table_add(t, json_text(error, "code"));
		table_addf(t, "%.80s", json_text(error, "message"));
	}
	table_print(t);
	reply_fini(&r);
	return EXIT_OK;
}

static int dead_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/dead/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

static int each(const struct args *a, const char *method, const char *verb)
{
	int worst = EXIT_OK;
	for (int i = 0; i < a->operand_n; i++) {
		struct reply r;
		scoped(mem_free_at) char *path = url_path("/v1/dead/", a->operands[i], verb);
		int code = client_request(method, path, NULL, (struct bytes){0}, &r);
		if (code > worst)
			worst = code;
		if (!code && a->json)
			print_json(r.json);
		if (!code)
			reply_fini(&r);
	}
	return worst;
}

static int dead_replay(const struct args *a)
{
	return each(a, "POST", "/replay");
}

static int dead_purge(const struct args *a)
{
	return each(a, "DELETE", "");
}

const struct command dead_commands[] = {
	{"dead", "list", "", "List dead letters: jobs that are not tried again, and why", list_options, 0, 0, dead_list},
	{"dead", "show", "ID", "Show a dead letter with its attempts", NULL, 1, 1, dead_show},
	{"dead", "replay", "ID...", "Try them again from the beginning", NULL, 1, -1, dead_replay},
	{"dead", "purge", "ID...", "Remove them for ever", NULL, 1, -1, dead_purge},
	{0},
};
