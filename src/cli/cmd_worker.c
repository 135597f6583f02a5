/* reeve worker ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_worker_rows(struct table *t, const json_t *w)
{
	const json_t *instances = json_object_get(w, "instances");
	size_t i;
	json_t *instance;
	if (json_array_size(instances) == 0) {
		const char *const cells[] = {json_text(w, "id"), json_text(w, "type"), json_text(w, "state"), NULL, NULL, NULL};
		for (size_t c = 0; c < ARRAY_SIZE(cells); c++)
			table_add(t, cells[c]);
	}
	json_array_foreach((json_t *)instances, i, instance)
	{
		const json_t *error = json_object_get(instance, "last_error");
		table_add(t, json_text(w, "id"));
		table_add(t, json_text(w, "type"));
		bool sick =
			strcmp(json_text(instance, "state"), "running") == 0 && json_is_false(json_object_get(instance, "healthy"));
		table_addf(t, "%s%s", json_text(instance, "state"), sick ? " (unhealthy)" : "");
		table_add(t, json_text(instance, "id"));
		table_addf(t, "%lld", (long long)json_integer_value(json_object_get(instance, "pid")));
		table_addf(t, "%.60s",
			sick					? json_text(instance, "health_reason")
			: json_is_object(error) ? json_text(error, "details")
									: "-");
	}
}

static const struct option_spec list_options[] = {
	{"type", 't', "TYPE", "only process or module"},
	{"capability", 'c', "NAME", "only workers that can do this"},
	{0},
};

static bool has_capability(const json_t *worker, const char *name)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(worker, "capabilities"), i, c)
	{
		const char *text = json_is_string(c) ? json_string_value(c) : json_text(c, "name");
		if (strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static bool wanted(const struct args *a, const json_t *w)
{
	const char *type = arg_option(a, "type"), *capability = arg_option(a, "capability");
	return (!type || strcmp(type, json_text(w, "type")) == 0) && (!capability || has_capability(w, capability));
}

static int worker_list(const struct args *a)
{
	static const char *const headings[] = {"WORKER", "TYPE", "STATE", "INSTANCE", "PID", "LAST ERROR", NULL};
	struct reply r;
	int code = client_get("/v1/workers", &r);
	if (code)
		return code;
	struct table *t = a->json ? NULL : table_new(headings);
	json_t *kept = json_array();
	size_t i;
	json_t *w;
	json_array_foreach(json_object_get(r.json, "workers"), i, w)
	{
		if (!wanted(a, w))
			continue;
		json_array_append(kept, w);
		if (!a->json)
			add_worker_rows(t, w);
	}
	json_t *all = json_pack("{s:o}", "workers", kept);
	if (a->json)
		print_json(all);
	else
		table_print(t);
	json_decref(all);
	reply_fini(&r);
	return EXIT_OK;
}

static int worker_show(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *path = url_path("/v1/workers/", a->operands[0], "");
	int code = client_get(path, &r);
	if (code)
		return code;
	print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

static int verb(const struct args *a, const char *after)
{
	scoped(mem_free_at) char *path = url_path("/v1/workers/", a->operands[0], after);
	return client_do(a, "POST", path);
}

static int worker_start(const struct args *a)
{
	return verb(a, "/start");
}

static int worker_stop(const struct args *a)
{
	return verb(a, "/stop");
}

static const struct option_spec restart_options[] = {
	{"force", 'f', NULL, "even while it waits after repeated failures"}, {0}};

static int worker_restart(const struct args *a)
{
	return verb(a, arg_option(a, "force") ? "/restart?force=true" : "/restart");
}

static int worker_promote(const struct args *a)
{
	return verb(a, "/promote");
}

static int worker_scale(const struct args *a)
{
	scoped(mem_free_at) char *escaped = url_path("/scale?replicas=", a->operands[1], "");
	return verb(a, escaped);
}

static int worker_add(const struct args *a)
{
	struct reply r;
	scoped(mem_free_at) char *text = NULL;
	int code = input_argument(a->operands[0], &text);
	if (!code)
		code = client_request("POST", "/v1/workers", NULL, bytes_of(text), &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	reply_fini(&r);
	return EXIT_OK;
}

static int worker_remove(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/workers/", a->operands[0], "");
	return client_do(a, "DELETE", path);
}

const struct command worker_commands[] = {
	{"worker", "list", "", "List workers and their instances", list_options, 0, 0, worker_list},
	{"worker", "show", "ID", "Show a worker with its diagnostics", NULL, 1, 1, worker_show},
	{"worker", "start", "ID", "Start a stopped worker", NULL, 1, 1, worker_start},
	{"worker", "stop", "ID", "Drain and stop a worker", NULL, 1, 1, worker_stop},
	{"worker", "restart", "ID", "Stop and start a worker", restart_options, 1, 1, worker_restart},
	{"worker", "promote", "ID", "Run a demoted worker as a module again", NULL, 1, 1, worker_promote},
	{"worker", "scale", "ID N", "Run N replicas", NULL, 2, 2, worker_scale},
	{"worker", "add", "JSON", "Add a worker as the YAML would: JSON text, @FILE or -", NULL, 1, 1, worker_add},
	{"worker", "remove", "ID", "Remove a stopped worker", NULL, 1, 1, worker_remove},
	{"worker", "new", "NAME", "Write a folder with a new worker that builds and runs", NULL, 1, 1, worker_new},
	{0},
};
