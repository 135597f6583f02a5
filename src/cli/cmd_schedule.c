/* reeve schedule ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec namespace_option[] = {
	{"namespace", 'n', "NAME", "whose schedule (default `default`)"}, {0}};

static char *schedule_path(const struct args *a, const char *after)
{
	struct buf path = {0};
	scoped(mem_free_at) char *plain = url_path("/v1/schedules/", a->operands[0], after);
	buf_text(&path, plain);
	url_add_option(&path, a, "namespace");
	return buf_take(&path);
}

/* ── list, show ── */

static char *rule_of(const json_t *s) /* "every 5m", "0 2 * * * Europe/Berlin"; the caller's */
{
	struct buf rule = {0};
	const char *zone = json_string_value(json_object_get(s, "timezone"));
	if (json_object_get(s, "every"))
		buf_format(&rule, "every %s", json_text(s, "every"));
	else
		buf_format(&rule, "%s%s%s", json_text(s, "cron"), zone ? " " : "", zone ? zone : "");
	return buf_take(&rule);
}

static const char *state_of(const json_t *s)
{
	if (json_is_true(json_object_get(s, "paused")))
		return "paused";
	if (json_is_false(json_object_get(s, "enabled")))
		return "disabled";
	return json_is_string(json_object_get(s, "next_at")) ? "active" : "over";
}

static const char *makes(const json_t *s)
{
	const json_t *job = json_object_get(s, "job");
	const char *capability = json_text(job, json_object_get(job, "capability") ? "capability" : "operation");
	return job ? capability : json_text(json_object_get(s, "run"), "pipeline");
}

static void add_rows(struct table *t, const json_t *schedules)
{
	size_t i;
	json_t *s;
	json_array_foreach(schedules, i, s)
	{
		scoped(mem_free_at) char *rule = rule_of(s);
		table_add(t, json_text(s, "namespace"));
		table_add(t, json_text(s, "name"));
		table_add(t, rule);
		table_add(t, makes(s));
		table_add(t, json_text(s, "next_at"));
		table_addf(t, "%lld", (long long)json_integer_value(json_object_get(s, "fired_total")));
		table_addf(t, "%lld", (long long)json_integer_value(json_object_get(s, "missed_total")));
		table_addf(t, "%lld", (long long)json_integer_value(json_object_get(s, "skipped_total")));
		table_add(t, state_of(s));
	}
}

static int schedule_list(const struct args *a)
{
	static const char *const headings[] = {
		"NAMESPACE", "SCHEDULE", "RULE", "MAKES", "NEXT", "FIRED", "MISSED", "SKIPPED", "STATE", NULL};
	scoped(mem_free_at) char *path = url_path("/v1/schedules?limit=1000&cursor=", "", "");
	struct table *t = NULL;
	do {
		struct reply r;
		int code;
		if (!client_show(a, path, &r, &code))
			return code;
		if (!t)
			t = table_new(headings);
		add_rows(t, json_object_get(r.json, "schedules"));
		free(path);
		const char *cursor = json_string_value(json_object_get(r.json, "cursor"));
		path = cursor ? url_path("/v1/schedules?limit=1000&cursor=", cursor, "") : NULL;
		reply_fini(&r);
	} while (path);
	table_print(t);
	return EXIT_OK;
}

static void print_times(const json_t *times)
{
	size_t i;
	json_t *time;
	json_array_foreach(times, i, time) printf("%s  %s\n", json_text(time, "local"), json_text(time, "at"));
}

static void print_last(const json_t *last)
{
	static const char *const headings[] = {"OCCURRENCE", "MADE", "JOB OR RUN", "STATUS", NULL};
	struct table *t = table_new(headings);
	size_t i;
	json_t *one;
	json_array_foreach(last, i, one)
	{
		scoped(mem_free_at) char *made = ago(json_object_get(one, "made_at"));
		table_add(t, json_text(one, "occurrence"));
		table_addf(t, "%s ago", made);
		table_add(t, json_text(one, json_object_get(one, "job_id") ? "job_id" : "run_id"));
		table_add(t, json_text(one, "status"));
	}
	table_print(t);
}

static int schedule_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = schedule_path(a, "");
	int code;
	if (!client_show(a, path, &r, &code))
		return code;
	scoped(mem_free_at) char *rule = rule_of(r.json);
	printf("%s  %s  %s, from the %s\n", json_text(r.json, "name"), rule, state_of(r.json),
		strcmp(json_text(r.json, "origin"), "config") == 0 ? "configuration" : "API");
	printf("makes %s; fired %lld, missed %lld, skipped %lld, failed %lld\n", makes(r.json),
		(long long)json_integer_value(json_object_get(r.json, "fired_total")),
		(long long)json_integer_value(json_object_get(r.json, "missed_total")),
		(long long)json_integer_value(json_object_get(r.json, "skipped_total")),
		(long long)json_integer_value(json_object_get(r.json, "failed_total")));
	if (json_is_string(json_object_get(r.json, "last_error")))
		printf("the last one that failed: %s\n", json_text(r.json, "last_error"));
	printf("\nnext:\n");
	print_times(json_object_get(r.json, "next"));
	printf("\n");
	print_last(json_object_get(r.json, "last"));
	reply_fini(&r);
	return EXIT_OK;
}

/* ── create ── */

#define RULE_OPTIONS                                                                                                   \
	{"every", 'e', "DURATION", "an interval: 30s, 5m, 1d"},                                                            \
		{"cron", 'c', "EXPRESSION", "minute hour day month weekday, such as '0 2 * * mon-fri'"},                       \
		{"timezone", 'z', "ZONE", "whose clock --cron means, such as Europe/Berlin (default UTC)"},                    \
		{"start", 0, "TIME", "no occurrence before it (RFC 3339)"},                                                    \
	{                                                                                                                  \
		"end", 0, "TIME", "no occurrence after it"                                                                     \
	}

static const struct option_spec create_options[] = {
	RULE_OPTIONS,
	{"missed", 0, "POLICY", "after a time without the daemon: once, skip, all (default once)"},
	{"grace", 0, "DURATION", "with --missed skip: how late is not too late (default 1m)"},
	{"overlap", 0, "POLICY", "while the job before lives: skip, allow, queue_one, cancel_previous (default skip)"},
	{"jitter", 0, "DURATION", "delay each job by up to this"},
	{"time-as", 0, "MEMBER", "the member of the input that says which occurrence it is for"},
	{"description", 0, "TEXT", "what it is for"},
	{"capability", 'C', "NAME", "makes a job for this capability"},
	{"job", 'j', "JSON", "the whole job, as POST /v1/jobs takes it: JSON text, @FILE or -"},
	{"pipeline", 'P', "NAME", "or starts a run of this pipeline"},
	{"input", 'i', "JSON", "input of the job or run: JSON text, @FILE or - for stdin"},
	{"priority", 'p', "0-9", "of the job or run (default 5)"},
	{"timeout", 0, "DURATION", "of one attempt"},
	{"max-attempts", 0, "N", "tries before it becomes a dead letter"},
	{"tag", 't', "TAG", "of the job; may be given again"},
	{"namespace", 'n', "NAME", "of the schedule and what it makes (default `default`)"},
	{"replace", 0, NULL, "change the schedule of this name"},
	{0},
};

static void add_texts(json_t *to, const struct args *a, const char *const *options, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (arg_option(a, options[i]))
			json_object_set_new(to, options[i], json_string(arg_option(a, options[i])));
}

static int add_input(json_t *to, const struct args *a)
{
	scoped(mem_free_at) char *text = NULL;
	if (!arg_option(a, "input"))
		return EXIT_OK;
	int code = input_argument(arg_option(a, "input"), &text);
	if (!code)
		json_object_set_new(to, "input", json_loads(text, JSON_DECODE_ANY, NULL));
	return code;
}

static int add_number(json_t *to, const struct args *a, const char *option, const char *member, uint64_t max)
{
	uint64_t n;
	int code = input_number(a, option, max, &n);
	if (!code && arg_option(a, option))
		json_object_set_new(to, member, json_integer((json_int_t)n));
	return code;
}

static int make_job(const struct args *a, json_t **out)
{
	scoped(mem_free_at) char *text = NULL;
	int code = arg_option(a, "job") ? input_argument(arg_option(a, "job"), &text) : EXIT_OK;
	if (code)
		return code;
	json_t *job = text ? json_loads(text, 0, NULL) : json_object();
	if (!json_is_object(job)) {
		json_decref(job);
		return complain(EXIT_USAGE, "--job: a JSON object is needed");
	}
	add_texts(job, a, (const char *const[]){"capability", "timeout"}, 2);
	for (int i = 0; i < a->repeated_n; i++) {
		if (!json_object_get(job, "tags"))
			json_object_set_new(job, "tags", json_array());
		json_array_append_new(json_object_get(job, "tags"), json_string(a->repeated[i]));
	}
	code = add_number(job, a, "max-attempts", "max_attempts", 1000);
	*out = job;
	return code;
}

static int make_what(const struct args *a, json_t *schedule)
{
	json_t *what = NULL;
	bool run = arg_option(a, "pipeline") != NULL;
	int code = EXIT_OK;
	if (run == (arg_option(a, "job") || arg_option(a, "capability")))
		return complain(EXIT_USAGE, "say what it makes: --capability NAME, --job JSON or --pipeline NAME");
	if (run)
		what = json_pack("{s:s}", "pipeline", arg_option(a, "pipeline"));
	else
		code = make_job(a, &what);
	if (what)
		json_object_set_new(schedule, run ? "run" : "job", what);
	if (!code)
		code = add_input(what, a);
	return code ? code : add_number(what, a, "priority", "priority", 9);
}

static const char *const rule_texts[] = {"every", "cron", "timezone", "start", "end"};

static int schedule_create(const struct args *a)
{
	static const char *const texts[] = {"missed", "grace", "overlap", "jitter", "description", "namespace"};
	struct reply r;
	json_t *schedule = json_pack("{s:s}", "name", a->operands[0]);
	add_texts(schedule, a, rule_texts, ARRAY_SIZE(rule_texts));
	add_texts(schedule, a, texts, ARRAY_SIZE(texts));
	if (arg_option(a, "time-as"))
		json_object_set_new(schedule, "time_as", json_string(arg_option(a, "time-as")));
	int code = make_what(a, schedule);
	scoped(mem_free_at) char *body = json_dumps(schedule, JSON_COMPACT);
	scoped(mem_free_at) char *path =
		arg_option(a, "replace") ? url_path("/v1/schedules/", a->operands[0], "") : mem_text("/v1/schedules");
	json_decref(schedule);
	if (!code)
		code = client_request(arg_option(a, "replace") ? "PUT" : "POST", path, NULL, bytes_of(body), &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	else
		print_times(json_object_get(r.json, "next"));
	reply_fini(&r);
	return EXIT_OK;
}

/* ── change ── */

static int change(const struct args *a, const char *method, const char *after, const char *id)
{
	struct reply r;
	scoped(mem_free_at) char *path = schedule_path(a, after);
	int code = client_request(method, path, NULL, (struct bytes){0}, &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	else if (id)
		printf("%s\n", json_text(r.json, json_object_get(r.json, id) ? id : "run_id"));
	reply_fini(&r);
	return EXIT_OK;
}

static int schedule_delete(const struct args *a)
{
	return change(a, "DELETE", "", NULL);
}

static int schedule_pause(const struct args *a)
{
	return change(a, "POST", "/pause", NULL);
}

static int schedule_resume(const struct args *a)
{
	return change(a, "POST", "/resume", NULL);
}

static int schedule_run(const struct args *a)
{
	return change(a, "POST", "/run", "job_id");
}

/* ── next ── */

static const struct option_spec next_options[] = {
	RULE_OPTIONS,
	{"from", 0, "TIME", "the first moment that counts (default now)"},
	{"number", 'N', "N", "how many (default 5)"},
	{"namespace", 'n', "NAME", "of the schedule that is named"},
	{0},
};

/* The rule of the schedule that was named. */
static int read_rule(const struct args *a, json_t *rule)
{
	struct reply r;
	scoped(mem_free_at) char *path = schedule_path(a, "");
	int code = client_get(path, &r);
	if (code)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(rule_texts); i++)
		if (json_object_get(r.json, rule_texts[i]))
			json_object_set(rule, rule_texts[i], json_object_get(r.json, rule_texts[i]));
	reply_fini(&r);
	return EXIT_OK;
}

static int schedule_next(const struct args *a)
{
	struct reply r;
	json_t *rule = json_object();
	int code = a->operand_n ? read_rule(a, rule) : EXIT_OK;
	add_texts(rule, a, rule_texts, ARRAY_SIZE(rule_texts));
	add_texts(rule, a, (const char *const[]){"from"}, 1);
	if (!code)
		code = add_number(rule, a, "number", "count", 1000);
	scoped(mem_free_at) char *body = json_dumps(rule, JSON_COMPACT);
	json_decref(rule);
	if (!code)
		code = client_request("POST", "/v1/schedules/preview", NULL, bytes_of(body), &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	else
		print_times(json_object_get(r.json, "times"));
	reply_fini(&r);
	return EXIT_OK;
}

const struct command schedule_commands[] = {
	{"schedule", "list", "", "List schedules: rule, next time, counts", NULL, 0, 0, schedule_list},
	{"schedule", "create", "NAME", "Make jobs, or runs, at times", create_options, 1, 1, schedule_create},
	{"schedule", "show", "NAME", "Show a schedule, its next times and what it made last", namespace_option, 1, 1,
		schedule_show},
	{"schedule", "delete", "NAME", "Remove a schedule; what it made stays", namespace_option, 1, 1, schedule_delete},
	{"schedule", "pause", "NAME", "Make nothing until it is resumed", namespace_option, 1, 1, schedule_pause},
	{"schedule", "resume", "NAME", "Go on; its `missed` policy says what becomes of the time between", namespace_option,
		1, 1, schedule_resume},
	{"schedule", "run", "NAME", "Make one more, now; prints the job's or run's id", namespace_option, 1, 1,
		schedule_run},
	{"schedule", "next", "[NAME]", "When a schedule, or a rule that is only tried, happens next", next_options, 0, 1,
		schedule_next},
	{0},
};
