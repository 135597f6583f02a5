/* reeve queue ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>

static long long number(const json_t *object, const char *name)
{
	return (long long)json_number_value(json_object_get(object, name));
}

static int queue_list(const struct args *a)
{
	static const char *const headings[] = {"NAMESPACE", "CAPABILITY", "PENDING", "SCHEDULED", "PROCESSING", "DEAD",
		"OLDEST", "KEYS", "PAUSED", "BLOCKED", NULL};
	struct reply r;
	int code;
	if (!client_show(a, "/v1/queues", &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *q;
	json_array_foreach(json_object_get(r.json, "queues"), i, q)
	{
		table_add(t, json_text(q, "namespace"));
		table_add(t, json_text(q, "capability"));
		table_addf(t, "%lld", number(q, "pending"));
		table_addf(t, "%lld", number(q, "scheduled"));
		table_addf(t, "%lld", number(q, "processing"));
		table_addf(t, "%lld", number(q, "failed"));
		table_addf(t, "%llds", number(q, "oldest_age_seconds"));
		table_addf(t, "%lld", number(q, "keys"));
		table_add(t, json_is_true(json_object_get(q, "paused")) ? "yes" : "no");
		table_add(t, json_text(q, "blocked"));
	}
	table_print(t);
	if (json_is_true(json_object_get(r.json, "paused")))
		printf("All queues are paused: reeve queue resume --all\n");
	reply_fini(&r);
	return EXIT_OK;
}

static const struct option_spec namespace_option[] = {
	{"namespace", 'n', "NAME", "whose queue (default `default`)"}, {0}};

static char *path_of(const struct args *a, const char *after)
{
	scoped(buf_fini) struct buf end = {0};
	buf_text(&end, after);
	url_add_option(&end, a, "namespace");
	return url_path("/v1/queues/", a->operands[0], end.data);
}

/* ── show ── */

static void show_keys(const json_t *keys)
{
	static const char *const headings[] = {"KEY", "PENDING", "PROCESSING", "BLOCKED", NULL};
	struct table *t = table_new(headings);
	size_t i;
	json_t *k;
	json_array_foreach(keys, i, k)
	{
		table_add(t, json_text(k, "key"));
		table_addf(t, "%lld", number(k, "pending"));
		table_addf(t, "%lld", number(k, "processing"));
		table_add(t, json_text(k, "blocked"));
	}
	printf("\n");
	table_print(t);
}

static int queue_show(const struct args *a)
{
	struct reply r;
	int code;
	scoped(mem_free_at) char *path = path_of(a, "");
	if (!client_show(a, path, &r, &code))
		return code;
	const json_t *keys = json_object_get(r.json, "top_keys");
	scoped(mem_free_at) char *limits = limits_text(json_object_get(r.json, "limits"));
	printf("%s in namespace %s: %lld pending, %lld scheduled, %lld processing, %lld dead letters\n",
		json_text(r.json, "capability"), json_text(r.json, "namespace"), number(r.json, "pending"),
		number(r.json, "scheduled"), number(r.json, "processing"), number(r.json, "failed"));
	printf("paused   %s\n", json_is_true(json_object_get(r.json, "paused")) ? "yes" : "no");
	printf("limits   %s (from the %s)\n", limits, json_text(r.json, "limits_from"));
	printf("blocked  %s%s%s\n", json_text(r.json, "blocked"), json_object_get(r.json, "opens_at") ? " until " : "",
		json_object_get(r.json, "opens_at") ? json_text(r.json, "opens_at") : "");
	printf("keys     %lld, %lld of them blocked\n", number(r.json, "keys"), number(r.json, "keys_blocked"));
	if (json_array_size(keys))
		show_keys(keys);
	reply_fini(&r);
	return EXIT_OK;
}

/* ── pause, resume, limit ── */

static const struct option_spec pause_options[] = {
	{"namespace", 'n', "NAME", "whose queue (default `default`)"}, {"all", 'a', NULL, "every queue"}, {0}};

static int change(const struct args *a, const char *verb)
{
	if (arg_option(a, "all") ? a->operand_n : !a->operand_n)
		return complain(EXIT_USAGE, "reeve queue%s: name a CAPABILITY, or say --all", verb);
	scoped(mem_free_at) char *path = arg_option(a, "all") ? url_path("/v1/queues", "", verb) : path_of(a, verb);
	return client_do(a, "POST", path);
}

static int queue_pause(const struct args *a)
{
	return change(a, "/pause");
}

static int queue_resume(const struct args *a)
{
	return change(a, "/resume");
}

static const struct option_spec limit_options[] = {
	{"concurrency", 'c', "N", "at most so many in workers' hands at once; `none`: any number"},
	{"rate", 'r', "N", "at most so many given out a second, 0.001 and more; `none`"},
	{"burst", 'b', "N", "so many at once after a pause (default: the rate, rounded up)"},
	{"max-length", 'm', "N", "at most so many waiting, one more is refused; `none`"},
	{"key-concurrency", 0, "N", "the same of each key"},
	{"key-rate", 0, "N", "the same of each key"},
	{"key-burst", 0, "N", "the same of each key"},
	{"reset", 0, NULL, "the limits of the configuration again"},
	{"namespace", 'n', "NAME", "whose queue (default `default`)"},
	{0},
};

static int queue_limit(const struct args *a)
{
	scoped(mem_free_at) char *path = path_of(a, "/limits");
	return limits_change(a, path);
}

const struct command queue_commands[] = {
	{"queue", "list", "", "List queues: depth, age, in flight, what holds them back", NULL, 0, 0, queue_list},
	{"queue", "show", "CAPABILITY", "Show a queue: its limits, and the keys with most waiting", namespace_option, 1, 1,
		queue_show},
	{"queue", "pause", "[CAPABILITY]", "Give out no more jobs of this capability", pause_options, 0, 1, queue_pause},
	{"queue", "resume", "[CAPABILITY]", "Give out jobs again", pause_options, 0, 1, queue_resume},
	{"queue", "limit", "CAPABILITY", "Limit how many run at once, start a second, and wait; others stay as they are",
		limit_options, 1, 1, queue_limit},
	{0},
};
