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
	static const char *const headings[] = {
		"NAMESPACE", "CAPABILITY", "PENDING", "SCHEDULED", "PROCESSING", "DEAD", "OLDEST", "PAUSED", NULL};
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
		table_add(t, json_is_true(json_object_get(q, "paused")) ? "yes" : "no");
	}
	table_print(t);
	reply_fini(&r);
	return EXIT_OK;
}

static const struct option_spec namespace_option[] = {
	{"namespace", 'n', "NAME", "whose queue (default `default`)"}, {0}};

static int change(const struct args *a, const char *verb)
{
	struct reply r;
	scoped(buf_fini) struct buf after = {0};
	buf_text(&after, verb);
	url_add_option(&after, a, "namespace");
	scoped(mem_free_at) char *path = url_path("/v1/queues/", a->operands[0], after.data);
	int code = client_request("POST", path, NULL, (struct bytes){0}, &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

static int queue_pause(const struct args *a)
{
	return change(a, "/pause");
}

static int queue_resume(const struct args *a)
{
	return change(a, "/resume");
}

const struct command queue_commands[] = {
	{"queue", "list", "", "List queues: depth, age, in flight", NULL, 0, 0, queue_list},
	{"queue", "pause", "CAPABILITY", "Give out no more jobs of this capability", namespace_option, 1, 1, queue_pause},
	{"queue", "resume", "CAPABILITY", "Give out jobs again", namespace_option, 1, 1, queue_resume},
	{0},
};
