/* reeve callback ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec list_options[] = {
	{"status", 's', "STATUS", "pending or failed"},
	{"namespace", 'n', "NAME", "only of this namespace"},
	{"limit", 'l', "N", "at most so many (default 100)"},
	{"cursor", 0, "CURSOR", "go on where an earlier list ended"},
	{0},
};

static const char *subject(const json_t *callback)
{
	return json_text(callback, json_object_get(callback, "job_id") ? "job_id" : "batch_id");
}

static int callback_list(const struct args *a)
{
	static const char *const names[] = {"status", "namespace", "limit", "cursor", NULL};
	static const char *const headings[] = {"CALLBACK", "OF", "TYPE", "STATUS", "ATTEMPTS", "URL", "ERROR", NULL};
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	int code;
	buf_text(&path, "/v1/callbacks");
	for (const char *const *name = names; *name; name++)
		url_add_option(&path, a, *name);
	if (!client_show(a, path.data, &r, &code))
		return code;
	struct table *t = table_new(headings);
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(r.json, "callbacks"), i, c)
	{
		table_add(t, json_text(c, "callback_id"));
		table_add(t, subject(c));
		table_add(t, json_text(c, "type"));
		table_add(t, json_text(c, "status"));
		table_addf(t, "%d", (int)json_integer_value(json_object_get(c, "attempts")));
		table_addf(t, "%.60s", json_text(c, "url"));
		table_addf(t, "%.60s", json_text(c, "error"));
	}
	table_print(t);
	client_print_more(&r);
	reply_fini(&r);
	return EXIT_OK;
}

static int callback_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/callbacks/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

/* Those that are named, or with --all every one that has failed. */
static int change_each(const struct args *a, const char *method, const char *verb)
{
	int worst = EXIT_OK;
	if (arg_option(a, "all")) {
		scoped(buf_fini) struct buf path = {0};
		if (a->operand_n)
			return complain(EXIT_USAGE, "either ids or --all");
		buf_format(&path, "/v1/callbacks%s", verb);
		url_add_option(&path, a, "namespace");
		return client_do(a, method, path.data);
	}
	if (!a->operand_n)
		return complain(EXIT_USAGE, "which callbacks? Give their ids, or --all for those that have failed");
	for (int i = 0; i < a->operand_n; i++) {
		scoped(mem_free_at) char *path = url_path("/v1/callbacks/", a->operands[i], verb);
		int code = client_do(a, method, path);
		if (code > worst)
			worst = code;
	}
	return worst;
}

static int callback_retry(const struct args *a)
{
	return change_each(a, "POST", "/retry");
}

static int callback_purge(const struct args *a)
{
	return change_each(a, "DELETE", "");
}

static const struct option_spec change_options[] = {
	{"all", 'a', NULL, "all that have failed"},
	{"namespace", 'n', "NAME", "with --all: only of this namespace"},
	{0},
};

const struct command callback_commands[] = {
	{"callback", "list", "", "List callbacks that have not arrived, and why", list_options, 0, 0, callback_list},
	{"callback", "show", "ID", "Show a callback", NULL, 1, 1, callback_show},
	{"callback", "retry", "[ID...]", "Send them now; failed ones are tried from the beginning", change_options, 0, -1,
		callback_retry},
	{"callback", "purge", "[ID...]", "Remove them: they are never sent", change_options, 0, -1, callback_purge},
	{0},
};
