/* Workers' declarations: from the file, at run time, and what a reload changes. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "package/resolve.h"
#include "schema/schema.h"

#include <stdlib.h>
#include <string.h>

#define SETTING_PREFIX "worker/" /* in STORE_SETTING: workers added over the API */

/* ── where the code is ── */

static void take_code(struct worker *w, struct resolve_result *r)
{
	worker_code_fini(&w->code);
	w->code = (struct worker_code){.executable = take(r->executable),
		.args = take(r->args),
		.module = take(r->module),
		.entry_point = take(r->entry_point),
		.directory = take(r->directory),
		.package = take(r->package),
		.version = take(r->version)};
	health_set_endpoint(&w->health[HEALTH_LIVENESS], r->health_endpoint, r->health_interval_ms);
}

enum errcode workers_resolve(struct daemon *d, struct worker *w, struct err *e)
{
	struct package_path path = {(const char *const *)d->settings->packages, settings_package_reader, NULL};
	struct resolve_request request = {.module = w->type == WORKER_MODULE,
		.package_name = w->package_name,
		.package_range = w->package_range,
		.executable_path = w->executable_path,
		.module_path = w->module_path,
		.entry_point = w->entry_point,
		.args = w->args_given ? w->args : NULL,
		.executable_needed = w->exec_n == 0};
	struct resolve_result result = {0};
	enum errcode code = resolve_code(&path, d->settings->base_dir, &request, &result, e);
	if (!code)
		take_code(w, &result);
	resolve_fini(&result);
	return code;
}

static enum errcode add(struct daemon *d, struct worker *w, struct err *e)
{
	by_hand_recall(d, w);
	return supervisor_add(d->supervisor, w, e);
}

/* ── kept in the store ── */

static struct store_key setting_key(const char *id, char text[WORKER_ID_MAX + sizeof SETTING_PREFIX + 1])
{
	snprintf(text, WORKER_ID_MAX + sizeof SETTING_PREFIX + 1, SETTING_PREFIX "%s", id);
	return (struct store_key){.text = bytes_of(text)};
}

static void keep(struct daemon *d, const struct worker *w)
{
	char text[WORKER_ID_MAX + sizeof SETTING_PREFIX + 1];
	struct store_batch *b = store_batch_new();
	store_batch_put(b, STORE_SETTING, setting_key(w->id, text), (struct bytes){0}, bytes_of(w->spec));
	queues_commit(d->queues, b, NULL, NULL);
}

void workers_forget(struct daemon *d, struct worker *w)
{
	char text[WORKER_ID_MAX + sizeof SETTING_PREFIX + 1];
	if (!w->runtime)
		return;
	by_hand_forget(d, w);
	struct store_batch *b = store_batch_new();
	store_batch_delete(b, STORE_SETTING, setting_key(w->id, text));
	queues_commit(d->queues, b, NULL, NULL);
}

/* ── adding ── */

static enum errcode parse_checked(json_t *declaration, struct worker **out, struct err *e)
{
	struct schema *schema;
	char pointer[SCHEMA_POINTER_SIZE], at[128] = "";
	enum errcode code = schema_open(bytes_of(worker_schema), &schema, e);
	if (code)
		return code;
	code = schema_check(schema, declaration, true, pointer, e);
	schema_close(schema);
	if (code) {
		err_prefix(e, "%s", *pointer ? pointer : "the worker");
		return code;
	}
	code = worker_parse(declaration, out, at, e);
	if (code && *at)
		err_prefix(e, "%s", at);
	return code;
}

static bool knows_order(struct daemon *d, const struct worker *w, struct err *e)
{
	for (char **name = w->after; *name; name++) {
		if (strcmp(*name, w->id) == 0 || !supervisor_find(d->supervisor, *name)) {
			err_set(e, E_INVALID, "after: \"%s\" is %s", *name,
				strcmp(*name, w->id) == 0 ? "the worker itself" : "no worker that is there");
			return false;
		}
	}
	return true;
}

enum errcode workers_add(struct daemon *d, const json_t *declaration, struct err *e)
{
	struct worker *w;
	json_t *own = json_deep_copy(declaration);
	enum errcode code = parse_checked(own, &w, e);
	json_decref(own);
	if (code)
		return code;
	if (supervisor_find(d->supervisor, w->id)) {
		code = err_set(e, E_CONFLICT, "there is a worker \"%s\" already", w->id);
		worker_free(w);
		return code;
	}
	if (!knows_order(d, w, e)) {
		worker_free(w);
		return E_INVALID;
	}
	w->runtime = true;
	keep(d, w);
	return add(d, w, e);
}

enum errcode workers_remove(struct daemon *d, const char *id, struct err *e)
{
	struct worker *w = supervisor_find(d->supervisor, id);
	if (w)
		workers_forget(d, w);
	return supervisor_remove(d->supervisor, id, e);
}

struct kept {
	struct daemon *daemon;
	char **ids;
	size_t n;
};

static bool visit_setting(void *context, const struct store_row *row)
{
	struct kept *k = context;
	size_t prefix = strlen(SETTING_PREFIX);
	if (row->key.text.size <= prefix || memcmp(row->key.text.data, SETTING_PREFIX, prefix) != 0)
		return true;
	k->ids = mem_resize(k->ids, (k->n + 1) * sizeof *k->ids);
	k->ids[k->n++] = mem_copy(row->key.text.data + prefix, row->key.text.size - prefix);
	return true;
}

/* One damaged declaration costs only itself. */
static void add_kept(struct daemon *d, const char *id)
{
	char text[WORKER_ID_MAX + sizeof SETTING_PREFIX + 1];
	scoped(buf_fini) struct buf body = {0};
	struct err e = {0};
	struct worker *w;
	enum errcode code = d->store->ops->read(d->store, STORE_SETTING, setting_key(id, text), NULL, &body, &e);
	json_t *declaration = code ? NULL : json_loadb(body.data, body.size, 0, NULL);
	if (!code)
		code = parse_checked(declaration, &w, &e);
	json_decref(declaration);
	if (!code && !supervisor_find(d->supervisor, id)) {
		w->runtime = true;
		code = add(d, w, &e);
	} else if (!code) {
		worker_free(w); /* the file declares it by now */
	}
	if (code)
		log_write(LOG_LEVEL_ERROR, "worker_refused", "worker=%s error=\"%s\"", id, e.text);
}

enum errcode workers_add_all(struct daemon *d, struct err *e)
{
	struct settings *s = d->settings;
	for (size_t i = 0; i < s->worker_n; i++) {
		enum errcode code = add(d, take(s->workers[i]), e);
		if (code)
			return code;
	}
	s->worker_n = 0;
	struct kept k = {.daemon = d};
	enum errcode code = d->store->ops->load(d->store, STORE_SETTING, visit_setting, &k, e);
	for (size_t i = 0; i < k.n; i++) {
		add_kept(d, k.ids[i]);
		free(k.ids[i]);
	}
	free(k.ids);
	return code;
}

/* ── reload ── */

static bool declared(const struct settings *s, const char *id)
{
	for (size_t i = 0; i < s->worker_n; i++)
		if (s->workers[i] && strcmp(s->workers[i]->id, id) == 0)
			return true;
	return false;
}

static void remove_undeclared(struct daemon *d, const struct settings *s)
{
	list_each(supervisor_workers(d->supervisor), at)
	{
		struct worker *w = container_of(at, struct worker, link);
		if (w->runtime || w->removing || declared(s, w->id))
			continue;
		by_hand_forget(d, w);
		supervisor_remove(d->supervisor, w->id, NULL);
	}
}

/* A worker that changed goes, and comes back as it is declared now when its last instance has ended (workers_gone). */
static void add_changed(struct daemon *d, struct settings *s)
{
	for (size_t i = 0; i < s->worker_n; i++) {
		struct worker *old = supervisor_find(d->supervisor, s->workers[i]->id);
		if (!old) {
			add(d, take(s->workers[i]), NULL);
		} else if (strcmp(old->spec, s->workers[i]->spec) != 0) {
			log_write(LOG_LEVEL_INFO, "worker_changed", "worker=%s", old->id);
			supervisor_remove(d->supervisor, old->id, NULL);
		} else {
			worker_free(take(s->workers[i]));
		}
	}
}

/* The settings stay where they are, for others point into them: name, directory and socket are those of the start. */
static void swap_settings(struct settings *now, struct settings *next)
{
	struct settings kept = *now;
	now->workers = next->workers;
	now->worker_n = next->worker_n;
	memcpy(now->packages, next->packages, sizeof now->packages);
	next->workers = kept.workers;
	next->worker_n = kept.worker_n;
	memcpy(next->packages, kept.packages, sizeof next->packages);
}

void workers_reload(struct daemon *d)
{
	struct settings *s;
	struct err e;
	if (settings_read(&d->options, &s, &e) != E_OK) {
		log_write(LOG_LEVEL_ERROR, "reload_refused", "error=\"%s\"", e.text);
		return;
	}
	for (size_t i = 0; i < s->pipeline_n; i++)
		pipelines_define(d->pipelines, take(s->pipelines[i]));
	s->pipeline_n = 0;
	schedules_take_settings(d, s);
	daemon_set_limits(d, s);
	swap_settings(
		d->settings, s); /* first: a changed worker that has no instance is replaced at once, by workers_gone */
	supervisor_hold(d->supervisor, true); /* one may come after another that stands below it */
	remove_undeclared(d, d->settings);
	add_changed(d, d->settings);
	supervisor_hold(d->supervisor, d->recovering);
	settings_free(s);
	log_write(LOG_LEVEL_INFO, "reloaded", NULL);
}

void workers_gone(struct daemon *d, const struct worker *w)
{
	for (size_t i = 0; i < d->settings->worker_n; i++) {
		struct worker *next = d->settings->workers[i];
		if (next && strcmp(next->id, w->id) == 0) {
			d->settings->workers[i] = NULL;
			add(d, next, NULL);
		}
	}
}
