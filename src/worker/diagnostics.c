/* diagnostics.c - an instance as clients see it: the original's field names in snake_case. */
#include "worker/instance.h"
#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_format(out, ",\"%s\":", name);
	if (text)
		buf_json_string(out, bytes_of(text));
	else
		buf_text(out, "null");
}

static void add_time(struct buf *out, const char *name, int64_t at_ms)
{
	if (at_ms <= 0) {
		buf_format(out, ",\"%s\":null", name);
		return;
	}
	time_t seconds = at_ms / 1000;
	struct tm t;
	char text[32];
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &t));
	buf_format(out, ",\"%s\":\"%s.%03dZ\"", name, text, (int)(at_ms % 1000));
}

static void add_error(struct buf *out, const struct instance_error *x)
{
	if (!*x->category) {
		buf_text(out, ",\"last_error\":null");
		return;
	}
	buf_text(out, ",\"last_error\":{\"category\":");
	buf_json_string(out, bytes_of(x->category));
	add_text(out, "details", x->details);
	add_text(out, "phase", x->phase);
	add_time(out, "timestamp", x->at_ms);
	buf_format(out, ",\"recoverable\":%s}", x->recoverable ? "true" : "false");
}

static const char *kind_word(const struct worker *w)
{
	if (w->type == WORKER_MODULE)
		return "integrated_module";
	return w->kind == WORKER_MANAGED ? "managed" : "integrated";
}

/* Of a loaded module: what it is, by its own word. */
static void add_module(struct buf *out, const struct instance *i)
{
	const struct worker *w = i->worker;
	if (w->type != WORKER_MODULE || !*i->program) {
		buf_text(out, ",\"module\":null");
		return;
	}
	buf_text(out, ",\"module\":{\"id\":");
	buf_json_string(out, bytes_of(i->program));
	add_text(out, "version", i->version);
	add_text(out, "module_path", w->code.module);
	add_text(out, "entry_point", w->code.entry_point ? w->code.entry_point : "reeve_export");
	add_time(out, "load_time", i->loaded_at_ms);
	buf_text(out, "}");
}

static void add_executable(struct buf *out, const struct worker *w)
{
	const char *path = w->code.executable ? w->code.executable : w->executable_path;
	if (w->type == WORKER_MODULE)
		path = "in-proc-module";
	const char *file = w->type == WORKER_MODULE ? w->code.module : path;
	bool exists = file && access(file, F_OK) == 0;
	add_text(out, "executable_path", path);
	buf_format(out, ",\"executable_exists\":%s", exists ? "true" : "false");
}

static void add_history(struct buf *out, const struct instance *i)
{
	unsigned n = i->history_n < INSTANCE_HISTORY ? i->history_n : INSTANCE_HISTORY;
	buf_text(out, ",\"history\":[");
	for (unsigned k = 0; k < n; k++) {
		const struct instance_change *c = &i->history[(i->history_n - n + k) % INSTANCE_HISTORY];
		buf_format(out, "%s{\"from\":\"%s\",\"to\":\"%s\"", k ? "," : "", instance_state_word(c->from),
			instance_state_word(c->to));
		add_time(out, "at", c->at_ms);
		buf_text(out, "}");
	}
	buf_text(out, "]");
}

/* The question that went worst, and each that is asked. */
static void add_health(struct buf *out, const struct instance *i)
{
	const char *why = NULL;
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		why = *i->health[q].why ? i->health[q].why : why;
	add_text(out, "health", health_status_word(i->health[HEALTH_LIVENESS].status));
	add_text(out, "health_reason", why);
	buf_text(out, ",\"probes\":{");
	bool first = true;
	for (int q = 0; q < HEALTH_QUESTIONS; q++) {
		const struct health_state *h = &i->health[q];
		const struct health_check *c = &i->worker->health[q];
		if (c->type == HEALTH_NONE)
			continue;
		buf_format(out,
			"%s\"%s\":{\"type\":\"%s\",\"status\":\"%s\",\"consecutive_failures\":%u,"
			"\"consecutive_successes\":%u",
			first ? "" : ",", health_question_word(q), health_type_word(c->type), health_status_word(h->status),
			h->failures, h->successes);
		add_time(out, "last_check", h->last_at_ms);
		add_text(out, "message", *h->why ? h->why : NULL);
		buf_text(out, "}");
		first = false;
	}
	buf_text(out, "}");
}

void instance_diagnostics(const struct instance *i, const char *usage, struct buf *out)
{
	const struct worker *w = i->worker;
	bool module = w->type == WORKER_MODULE;
	buf_text(out, "{\"id\":");
	buf_json_string(out, bytes_of(i->id));
	add_text(out, "worker_id", w->id);
	add_text(out, "namespace", w->namespace);
	add_text(out, "state", instance_state_word(i->state));
	add_text(out, "type", worker_type_word(w->type));
	add_text(out, "kind", kind_word(w));
	add_text(out, "version", *i->version ? i->version : NULL);
	add_error(out, &i->last_error);
	add_time(out, "start_time", i->started_at_ms);
	buf_format(out, ",\"resource_usage\":%s", !module && usage ? usage : "null");
	buf_format(out, ",\"process_id\":%d,\"pid\":%d", module ? 0 : i->pid, module ? 0 : i->pid);
	add_executable(out, w);
	add_module(out, i);
	buf_text(out, ",\"endpoint\":{\"type\":");
	buf_json_string(out, bytes_of(*i->endpoint_type ? i->endpoint_type : module ? "function" : "ipc"));
	add_text(out, "address", i->endpoint_address);
	bool healthy = i->state == INSTANCE_RUNNING && i->healthy;
	buf_format(out, ",\"metadata\":%s", i->endpoint_metadata ? i->endpoint_metadata : "{}");
	buf_format(out, "},\"healthy\":%s", healthy ? "true" : "false");
	add_health(out, i);
	buf_format(out, ",\"in_flight\":%u,\"concurrency\":%u,\"prefetch\":%u,\"restarts\":%u,\"draining\":%s",
		i->in_flight, i->concurrency, i->prefetch, i->restarts, i->draining ? "true" : "false");
	buf_text(out, ",\"restart_circuit_breaker\":");
	restart_breaker_json(&i->breaker, out);
	add_history(out, i);
	buf_text(out, "}");
}
