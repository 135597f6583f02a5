/* spec.c - from checked JSON to struct worker. */
#include "worker/worker.h"

#include "base/mem.h"
#include "base/units.h"
#include "job/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct reading { /* one declaration being read */
	struct worker *w;
	char *at; /* where the error is */
	struct err *e;
};

static enum errcode refuse(struct reading *r, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static enum errcode refuse(struct reading *r, const char *at, const char *format, ...)
{
	char text[400];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (r->at)
		snprintf(r->at, 128, "%s", at);
	return err_set(r->e, E_INVALID, "worker %s: %s", r->w->id, text);
}

static const char *const worker_profiles[] = {"batch", "web", "database", "worker", "scheduler", "default", NULL};
enum { WORKER_PROFILE_DEFAULT = 5 };

static const char *const on_crash_words[] = {"restart", "quarantine", "demote", NULL};

static char *text_of(const json_t *object, const char *name)
{
	return mem_text(json_string_value(json_object_get(object, name)));
}

/* A number without unit is milliseconds only when it is 0: units_duration says so. */
static enum errcode duration(struct reading *r, const json_t *object, const char *name, const char *at, int64_t *ms)
{
	const json_t *value = json_object_get(object, name);
	char number[32];
	struct err e;
	if (!value)
		return E_OK;
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	struct bytes text = bytes_of(json_is_string(value) ? json_string_value(value) : number);
	if (units_duration(text, ms, &e) != E_OK)
		return refuse(r, at, "%s: %s", at + 1, e.text);
	return E_OK;
}

static char **texts_of(const json_t *array)
{
	char **texts = mem_new((json_array_size(array) + 1) * sizeof *texts);
	size_t k;
	json_t *value;
	json_array_foreach(array, k, value) texts[k] = mem_text(json_string_value(value));
	return texts;
}

static enum errcode read_execution(struct reading *r, const json_t *x)
{
	struct worker *w = r->w;
	w->executable_path = text_of(x, "executable_path");
	w->working_directory = text_of(x, "working_directory");
	if (json_object_get(x, "args")) {
		w->args = texts_of(json_object_get(x, "args"));
		w->args_given = true;
	}
	const json_t *environment = json_object_get(x, "environment");
	w->environment = mem_new((json_object_size(environment) + 1) * sizeof *w->environment);
	size_t n = 0;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)environment, name, value)
	{
		if (!*name || strchr(name, '='))
			return refuse(r, "/execution/environment", "the environment has no variable named \"%s\"", name);
		if (strncmp(name, "REEVE_", 6) == 0)
			return refuse(r, "/execution/environment", "the environment variable %s is Reeve's own", name);
		struct buf b = {0};
		buf_format(&b, "%s=%s", name, json_string_value(value));
		w->environment[n++] = buf_take(&b);
	}
	return E_OK;
}

static enum errcode read_module(struct reading *r, const json_t *m, const json_t *config)
{
	struct worker *w = r->w;
	w->module_path = text_of(m, "module_path");
	w->entry_point = text_of(m, "entry_point");
	const json_t *own = json_object_get(m, "config");
	if (own && config)
		return refuse(r, "/module/config", "the configuration is given twice: as config and as module.config");
	if (!own)
		own = config;
	char *text = own ? json_dumps(own, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	w->config = text ? text : mem_text("{}");
	return E_OK;
}

static void read_exec(struct worker *w, const json_t *list)
{
	size_t k;
	json_t *x;
	w->execs = mem_new((json_array_size(list) + 1) * sizeof *w->execs);
	json_array_foreach(list, k, x)
	{
		struct worker_exec *exec = &w->execs[w->exec_n++];
		exec->capability = text_of(x, "capability");
		exec->version = text_of(x, "version");
		if (!exec->version)
			exec->version = mem_text("1.0.0");
		exec->summary = text_of(x, "summary");
		exec->command = texts_of(json_object_get(x, "command"));
		exec->binary = json_is_true(json_object_get(x, "binary"));
	}
}

static unsigned number_of(const json_t *object, const char *name, unsigned otherwise)
{
	const json_t *value = json_object_get(object, name);
	return value ? (unsigned)json_integer_value(value) : otherwise;
}

static enum errcode read_replicas(struct reading *r, const json_t *x)
{
	struct worker *w = r->w;
	w->replicas_min = number_of(x, "min", 1);
	w->replicas_max = number_of(x, "max", w->replicas_min ? w->replicas_min : 1);
	if (w->replicas_min > w->replicas_max)
		return refuse(
			r, "/replicas/min", "replicas.min (%u) is above replicas.max (%u)", w->replicas_min, w->replicas_max);
	w->replicas = w->replicas_min;
	return E_OK;
}

static int word_of(const json_t *value, const char *const *words, int otherwise)
{
	for (int k = 0; value && words[k]; k++)
		if (strcmp(json_string_value(value), words[k]) == 0)
			return k;
	return otherwise;
}

static enum errcode read_rule(struct reading *r, const json_t *x, const char *at, struct restart_rule *rule)
{
	char place[128];
	const json_t *rate = json_object_get(x, "backoff_rate");
	rule->max_retries = number_of(x, "max_retries", rule->max_retries);
	if (rate)
		rule->backoff_rate = json_number_value(rate);
	snprintf(place, sizeof place, "%s/retry_delay", at);
	return duration(r, x, "retry_delay", place, &rule->delay_ms);
}

static void read_multipliers(const json_t *x, const char *const *names, double *multipliers)
{
	for (int k = 0; names[k]; k++)
		if (json_object_get(x, names[k]))
			multipliers[k] = json_number_value(json_object_get(x, names[k]));
}

/* By what went wrong, how badly, and what kind of worker it is. */
static enum errcode read_context_aware(struct reading *r, const json_t *x, int profile)
{
	static const char *const severities[] = {"warning", "critical", "emergency", NULL};
	struct restart_policy *p = &r->w->restart;
	double profiles[] = {3, 1, 5, 2, 2.5, 1}, severity[] = {0.5, 1, 2};
	if (!x)
		return E_OK;
	read_multipliers(json_object_get(x, "severity_multipliers"), severities, severity);
	read_multipliers(json_object_get(x, "worker_profile_multipliers"), worker_profiles, profiles);
	memcpy(p->severity, severity, sizeof p->severity);
	p->profile = profiles[profile];
	p->startup_grace_ms = 2 * 60000;
	p->sustained_ms = 5 * 60000;
	struct restart_rule *rules = p->rules;
	rules[RESTART_EXIT] = (struct restart_rule){3, 5000, 1.5};
	enum errcode code =
		read_rule(r, json_object_get(x, "default"), "/context_aware_restart/default", &rules[RESTART_EXIT]);
	rules[RESTART_HEALTH] = rules[RESTART_EXIT];
	rules[RESTART_RESOURCE] =
		(struct restart_rule){rules[RESTART_EXIT].max_retries + 2, rules[RESTART_EXIT].delay_ms * 2, 1.5};
	if (code == E_OK)
		code = read_rule(
			r, json_object_get(x, "health_failures"), "/context_aware_restart/health_failures", &rules[RESTART_HEALTH]);
	if (code == E_OK)
		code = read_rule(r, json_object_get(x, "resource_violations"), "/context_aware_restart/resource_violations",
			&rules[RESTART_RESOURCE]);
	if (code == E_OK)
		code =
			duration(r, x, "startup_grace_period", "/context_aware_restart/startup_grace_period", &p->startup_grace_ms);
	if (code == E_OK)
		code = duration(
			r, x, "sustained_violation_time", "/context_aware_restart/sustained_violation_time", &p->sustained_ms);
	return code ? code
				: duration(r, x, "spike_tolerance_time", "/context_aware_restart/spike_tolerance_time", &p->spike_ms);
}

static enum errcode read_restart(struct reading *r, const json_t *x)
{
	static const char *const words[] = {"always", "unless-stopped", "on-failure", "never", NULL};
	struct restart_policy *p = &r->w->restart;
	const json_t *rate = json_object_get(x, "backoff_rate");
	unsigned max = number_of(x, "max", 10);
	struct restart_rule rule = {max ? max - 1 : RESTART_UNLIMITED, 100, rate ? json_number_value(rate) : 2};
	*p =
		(struct restart_policy){.when = (enum restart_when)word_of(json_object_get(x, "policy"), words, RESTART_ALWAYS),
			.severity = {1, 1, 1},
			.profile = 1,
			.cap_ms = 30000,
			.window_ms = 60000};
	enum errcode code = duration(r, x, "delay", "/restart/delay", &rule.delay_ms);
	for (int k = 0; k < RESTART_TRIGGERS; k++)
		p->rules[k] = rule;
	if (code == E_OK)
		code = duration(r, x, "cap", "/restart/cap", &p->cap_ms);
	if (code == E_OK)
		code = duration(r, x, "window", "/restart/window", &p->window_ms);
	if (p->cap_ms < rule.delay_ms)
		p->cap_ms = rule.delay_ms;
	return code;
}

static enum errcode read_limits(struct reading *r, const json_t *x)
{
	struct worker *w = r->w;
	if (!x)
		return E_OK;
	if (w->type == WORKER_MODULE)
		return refuse(r, "/limits",
			"limits cannot be kept for a module: it runs inside the engine and shares its memory; use type process, or "
			"leave limits out");
	const json_t *memory = json_object_get(x, "memory");
	if (json_is_integer(memory)) {
		if (json_integer_value(memory) <= 0)
			return refuse(r, "/limits/memory", "limits.memory must be above 0");
		w->limits.memory_bytes = (uint64_t)json_integer_value(memory);
	} else if (memory) {
		struct err e;
		if (units_size(bytes_of(json_string_value(memory)), &w->limits.memory_bytes, &e) != E_OK)
			return refuse(r, "/limits/memory", "limits.memory: %s", e.text);
	}
	w->limits.cpus = json_number_value(json_object_get(x, "cpus"));
	w->limits.processes = (uint64_t)json_integer_value(json_object_get(x, "processes"));
	w->limits.files = (uint64_t)json_integer_value(json_object_get(x, "files"));
	return E_OK;
}

/* "name:version"; the version may be a range, or be left out. */
static void read_package(struct worker *w, const char *text)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	if (!text)
		return;
	w->package_name = mem_copy(text, colon ? (size_t)(colon - text) : strlen(text));
	if (colon && colon[1])
		w->package_range = mem_text(colon + 1);
}

static enum errcode check_code(struct reading *r)
{
	const struct worker *w = r->w;
	if (w->package_name || w->exec_n)
		return w->exec_n && w->type == WORKER_MODULE
				   ? refuse(r, "/exec", "exec runs commands, which is what type process does; a module cannot")
				   : E_OK;
	if ((w->ready_notify || w->ready_descriptor) && (w->type != WORKER_PROCESS || w->kind != WORKER_MANAGED))
		return refuse(r, "/ready", "ready is of managed programs; a worker of ours says READY over its link");
	if (w->ready_notify && w->ready_descriptor)
		return refuse(r, "/ready", "ready.notify and ready.descriptor are two ways to say the same; give one");
	if (w->type == WORKER_PROCESS && !w->executable_path)
		return refuse(r, "/type", "a process needs package, execution.executable_path or exec");
	if (w->type == WORKER_MODULE && !w->module_path)
		return refuse(r, "/type", "a module needs package or module.module_path");
	return E_OK;
}

static enum errcode read_times(struct reading *r, const json_t *json)
{
	struct worker *w = r->w;
	w->start_timeout_ms = w->stop_timeout_ms = 30000;
	enum errcode code = duration(r, json, "start_timeout", "/start_timeout", &w->start_timeout_ms);
	if (code == E_OK)
		code = duration(r, json, "stop_timeout", "/stop_timeout", &w->stop_timeout_ms);
	struct err e;
	if (code == E_OK &&
		health_parse(json, w->kind == WORKER_MANAGED && w->type == WORKER_PROCESS, w->health, r->at, &e) != E_OK)
		code = err_set(r->e, E_INVALID, "worker %s: %s", w->id, e.text);
	return code;
}

static enum errcode read_all(struct reading *r, const json_t *json)
{
	struct worker *w = r->w;
	enum errcode code = read_execution(r, json_object_get(json, "execution"));
	if (code == E_OK)
		code = read_module(r, json_object_get(json, "module"), json_object_get(json, "config"));
	if (code == E_OK)
		code = read_replicas(r, json_object_get(json, "replicas"));
	if (code == E_OK)
		code = read_restart(r, json_object_get(json, "restart"));
	if (code == E_OK)
		code = read_context_aware(r, json_object_get(json, "context_aware_restart"),
			word_of(json_object_get(json, "profile_type"), worker_profiles, WORKER_PROFILE_DEFAULT));
	if (code == E_OK)
		code = read_times(r, json);
	if (code == E_OK)
		code = read_limits(r, json_object_get(json, "limits"));
	if (code == E_OK)
		code = check_code(r);
	if (code != E_OK)
		return code;
	w->concurrency = number_of(json, "concurrency", number_of(json, "max_concurrent_jobs", 1));
	w->prefetch = number_of(json, "prefetch", w->concurrency < 32 ? 32 : w->concurrency);
	return E_OK;
}

/* `namespace: a`, or `namespaces: [a, b]`. */
static enum errcode read_namespaces(struct reading *r, const json_t *json)
{
	struct worker *w = r->w;
	const char *one = json_string_value(json_object_get(json, "namespace"));
	const json_t *list = json_object_get(json, "namespaces");
	w->namespaces = mem_new((json_array_size(list) + 2) * sizeof *w->namespaces);
	for (size_t k = 0; k < json_array_size(list); k++)
		w->namespaces[w->namespace_n++] = mem_text(json_string_value(json_array_get(list, k)));
	if (!list)
		w->namespaces[w->namespace_n++] = mem_text(one ? one : "default");
	w->namespace = w->namespaces[0];
	return one && list ? refuse(r, "/namespaces", "namespace and namespaces exclude each other") : E_OK;
}

bool worker_serves(const struct worker *w, struct bytes namespace)
{
	for (size_t k = 0; k < w->namespace_n; k++)
		if (bytes_equal(namespace, bytes_of(w->namespaces[k])))
			return true;
	return namespace.size == 0;
}

enum errcode worker_parse(const json_t *json, struct worker **out, char at[128], struct err *e)
{
	struct worker *w = NEW(struct worker);
	struct reading r = {w, at, e};
	list_init(&w->instances);
	w->id = text_of(json, "id");
	const char *type = json_string_value(json_object_get(json, "type"));
	w->type = type && strcmp(type, "module") == 0 ? WORKER_MODULE : WORKER_PROCESS;
	w->on_crash =
		(enum worker_on_crash)word_of(json_object_get(json, "on_crash"), on_crash_words, WORKER_CRASH_RESTART);
	const char *kind = json_string_value(json_object_get(json, "kind"));
	w->kind = kind && strcmp(kind, "managed") == 0 ? WORKER_MANAGED : WORKER_INTEGRATED;
	const json_t *ready = json_object_get(json, "ready");
	w->ready_notify = json_is_true(json_object_get(ready, "notify"));
	w->ready_descriptor = number_of(ready, "descriptor", 0);
	w->after = texts_of(json_object_get(json, "after"));
	w->essential = json_is_true(json_object_get(json, "essential"));
	w->enabled = !json_is_false(json_object_get(json, "enabled"));
	w->wanted = w->enabled;
	read_package(w, json_string_value(json_object_get(json, "package")));
	read_exec(w, json_object_get(json, "exec"));
	w->spec = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	enum errcode code = read_namespaces(&r, json);
	if (code == E_OK)
		code = read_all(&r, json);
	if (code != E_OK) {
		worker_free(w);
		return code;
	}
	*out = w;
	return E_OK;
}

static void texts_free(char **texts)
{
	for (size_t k = 0; texts && texts[k]; k++)
		free(texts[k]);
	free(texts);
}

void worker_code_fini(struct worker_code *c)
{
	char *texts[] = {c->executable, c->module, c->entry_point, c->directory, c->package, c->version};
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		free(texts[k]);
	texts_free(c->args);
	*c = (struct worker_code){0};
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	for (size_t k = 0; k < w->exec_n; k++) {
		free(w->execs[k].capability);
		free(w->execs[k].version);
		free(w->execs[k].summary);
		texts_free(w->execs[k].command);
	}
	char *texts[] = {w->id, w->package_name, w->package_range, w->executable_path, w->working_directory, w->module_path,
		w->entry_point, w->config, w->spec};
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		free(texts[k]);
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		health_check_fini(&w->health[q]);
	free(w->execs);
	texts_free(w->namespaces);
	texts_free(w->args);
	texts_free(w->environment);
	texts_free(w->after);
	worker_code_fini(&w->code);
	free(w);
}

const char *worker_type_word(enum worker_type t)
{
	return t == WORKER_MODULE ? "module" : "process";
}
