/* reeve namespace ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>

static long long number(const json_t *object, const char *name)
{
	return (long long)json_number_value(json_object_get(object, name));
}

static int namespace_list(const struct args *a)
{
	static const char *const headings[] = {
		"NAMESPACE", "QUEUES", "PENDING", "SCHEDULED", "PROCESSING", "WEIGHT", "PAUSED", "LIMITS", NULL};
	struct reply r;
	int code;
	if (!client_show(a, "/v1/namespaces", &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *n;
	json_array_foreach(json_object_get(r.json, "namespaces"), i, n)
	{
		scoped(mem_free_at) char *limits = limits_text(json_object_get(n, "limits"));
		table_add(t, json_text(n, "namespace"));
		table_addf(t, "%lld", number(n, "queues"));
		table_addf(t, "%lld", number(n, "pending"));
		table_addf(t, "%lld", number(n, "scheduled"));
		table_addf(t, "%lld", number(n, "processing"));
		table_addf(t, "%lld", number(n, "weight"));
		table_add(t, json_is_true(json_object_get(n, "paused")) ? "yes" : "no");
		table_add(t, limits);
	}
	table_print(t);
	reply_fini(&r);
	return EXIT_OK;
}

static int post(const struct args *a, const char *verb)
{
	scoped(mem_free_at) char *path = url_path("/v1/namespaces/", a->operands[0], verb);
	return client_do(a, "POST", path);
}

static int namespace_pause(const struct args *a)
{
	return post(a, "/pause");
}

static int namespace_resume(const struct args *a)
{
	return post(a, "/resume");
}

static const struct option_spec limit_options[] = {
	{"concurrency", 'c', "N", "at most so many in workers' hands at once; `none`: any number"},
	{"rate", 'r', "N", "at most so many given out a second, 0.001 and more; `none`"},
	{"burst", 'b', "N", "so many at once after a pause (default: the rate, rounded up)"},
	{"max-length", 'm', "N", "at most so many waiting, one more is refused; `none`"},
	{"reset", 0, NULL, "the limits of the configuration again"},
	{0},
};

static int namespace_limit(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/namespaces/", a->operands[0], "/limits");
	return limits_change(a, path);
}

const struct command namespace_commands[] = {
	{"namespace", "list", "", "List namespaces: what waits in all their queues, shares, limits", NULL, 0, 0,
		namespace_list},
	{"namespace", "pause", "NAMESPACE", "Give out no more jobs of its queues", NULL, 1, 1, namespace_pause},
	{"namespace", "resume", "NAMESPACE", "Give out jobs again", NULL, 1, 1, namespace_resume},
	{"namespace", "limit", "NAMESPACE", "Limit all its queues together; other limits stay as they are", limit_options,
		1, 1, namespace_limit},
	{0},
};
