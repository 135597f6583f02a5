/* reeve dead ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define FILTERS                                                                                                        \
	{"capability", 'c', "NAME", "only of this capability"}, {"namespace", 'n', "NAME", "only of this namespace"},      \
		{"tag", 't', "TAG", "only with this tag"}, {"code", 0, "CODE", "only with this error code"},                   \
	{                                                                                                                  \
		"older-than", 0, "DURATION", "only those that failed so long ago: 30d"                                         \
	}

static const struct option_spec list_options[] = {
	FILTERS,
	{"limit", 'l', "N", "at most so many (default 100)"},
	{0},
};

static const struct option_spec all_options[] = {
	{"all", 'a', NULL, "all that fit, instead of IDs"},
	FILTERS,
	{0},
};

static void add_filters(struct buf *path, const struct args *a)
{
	static const char *const names[] = {"capability", "namespace", "tag", "code"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		url_add_option(path, a, names[i]);
	url_add_value(path, "older_than", arg_option(a, "older-than"));
}

static int fetch(const struct args *a, struct reply *r)
{
	scoped(buf_fini) struct buf path = {0};
	buf_text(&path, "/v1/dead");
	url_add_option(&path, a, "limit");
	add_filters(&path, a);
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

static void print_attempt(const json_t *attempt)
{
	const json_t *error = json_object_get(attempt, "error"), *log = json_object_get(attempt, "log"), *line;
	size_t i;
	printf("  attempt %lld  %s - %s\n    %s: %s\n", json_integer_value(json_object_get(attempt, "attempt")),
		json_text(attempt, "started_at"), json_text(attempt, "ended_at"), json_text(error, "code"),
		json_text(error, "message"));
	json_array_foreach(log, i, line) printf("    | %s\n", json_string_value(line));
}

static int dead_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/dead/", a->operands[0], "");
	size_t i;
	int code;
	if (!client_show(a, path, &r, &code))
		return code;
	const json_t *error = json_object_get(r.json, "error"), *attempt;
	printf("%s  %s  %s\n  %s: %s\n", json_text(r.json, "job_id"), json_text(r.json, "capability"),
		json_text(r.json, "finished_at"), json_text(error, "code"), json_text(error, "message"));
	json_array_foreach(json_object_get(r.json, "history"), i, attempt) print_attempt(attempt);
	printf("  input: ");
	print_json(json_object_get(r.json, "input"));
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

/* Those that fit, in as many calls as it takes. `member`: of the answer, how many. */
static int all(const struct args *a, const char *method, const char *route, const char *member)
{
	enum { MOST = 10000 }; /* of one call */
	scoped(buf_fini) struct buf path = {0};
	json_int_t n, sum = 0;
	buf_text(&path, route);
	add_filters(&path, a);
	do {
		struct reply r;
		int code = client_request(method, path.data, NULL, (struct bytes){0}, &r);
		if (code)
			return code;
		sum += n = json_integer_value(json_object_get(r.json, member));
		reply_fini(&r);
	} while (n >= MOST);
	printf(a->json ? "{\"%s\":%lld}\n" : "%s %lld\n", member, sum);
	return EXIT_OK;
}

static int check_operands(const struct args *a)
{
	if ((arg_option(a, "all") != NULL) == (a->operand_n > 0))
		return complain(EXIT_USAGE, "which ones? ID..., or --all with what they must fit");
	return EXIT_OK;
}

static int dead_replay(const struct args *a)
{
	int code = check_operands(a);
	if (!code)
		code = a->operand_n ? each(a, "POST", "/replay") : all(a, "POST", "/v1/dead/replay", "replayed");
	return code;
}

static int dead_purge(const struct args *a)
{
	int code = check_operands(a);
	if (!code)
		code = a->operand_n ? each(a, "DELETE", "") : all(a, "DELETE", "/v1/dead", "purged");
	return code;
}

const struct command dead_commands[] = {
	{"dead", "list", "", "List dead letters: jobs that are not tried again, and why", list_options, 0, 0, dead_list},
	{"dead", "show", "ID", "Show a dead letter with its attempts", NULL, 1, 1, dead_show},
	{"dead", "replay", "[ID...]", "Try them again from the beginning", all_options, 0, -1, dead_replay},
	{"dead", "purge", "[ID...]", "Remove them for ever", all_options, 0, -1, dead_purge},
	{0},
};
