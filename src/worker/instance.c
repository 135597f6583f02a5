#include "worker/instance.h"

#include "worker/worker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/*   uninitialized ─► initializing ─► initialized ─► starting ─► running ─► stopping ─► stopped
 *                         │                            │           │          │           │
 *                         └──────────► failed ◄────────┴───────────┴──────────┘           │
 *                                        ├── retry ──► starting ◄─────────────────────────┘
 *                                        └── give up ──► stopped
 *
 * From `stopping` to `failed` goes only a module whose threads do not end: a process can always be ended.
 * A stop during `starting` has no arrow of its own: the supervisor lets the start end first, or fail. */
static const char *const words[INSTANCE_STATES] = {
	[INSTANCE_UNINITIALIZED] = "uninitialized",
	[INSTANCE_INITIALIZING] = "initializing",
	[INSTANCE_INITIALIZED] = "initialized",
	[INSTANCE_STARTING] = "starting",
	[INSTANCE_RUNNING] = "running",
	[INSTANCE_STOPPING] = "stopping",
	[INSTANCE_STOPPED] = "stopped",
	[INSTANCE_FAILED] = "failed",
};

#define TO(state) (1u << INSTANCE_##state)
static const unsigned may[INSTANCE_STATES] = {
	[INSTANCE_UNINITIALIZED] = TO(INITIALIZING),
	[INSTANCE_INITIALIZING] = TO(INITIALIZED) | TO(FAILED),
	[INSTANCE_INITIALIZED] = TO(STARTING),
	[INSTANCE_STARTING] = TO(RUNNING) | TO(FAILED),
	[INSTANCE_RUNNING] = TO(STOPPING) | TO(FAILED),
	[INSTANCE_STOPPING] = TO(STOPPED) | TO(FAILED),
	[INSTANCE_STOPPED] = TO(STARTING),
	[INSTANCE_FAILED] = TO(STARTING) | TO(STOPPED),
};

const char *instance_state_word(enum instance_state s)
{
	return s < INSTANCE_STATES ? words[s] : "unknown";
}

bool instance_may(enum instance_state from, enum instance_state to)
{
	return from < INSTANCE_STATES && to < INSTANCE_STATES && (may[from] & (1u << to));
}

static enum errcode refuse(const struct instance *i, enum instance_state to, struct err *e)
{
	char allowed[96] = "";
	for (int s = 0; s < INSTANCE_STATES; s++)
		if (instance_may(i->state, s))
			snprintf(
				allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s", *allowed ? " or " : "", words[s]);
	return err_set(e, E_STATE, "instance %s is %s and cannot become %s; from here it may become %s", i->id,
		instance_state_word(i->state), instance_state_word(to), allowed);
}

enum errcode instance_move(struct instance *i, enum instance_state to, int64_t now_ms, struct err *e)
{
	if (!instance_may(i->state, to))
		return refuse(i, to, e);
	i->history[i->history_n++ % INSTANCE_HISTORY] = (struct instance_change){i->state, to, now_ms};
	i->state = to;
	i->state_since_ms = now_ms;
	return E_OK;
}

struct instance *instance_new(
	struct worker *w, const struct runner_ops *runner, const char *id, uint32_t random, int64_t now_ms)
{
	struct instance *i = NEW(struct instance);
	if (id)
		snprintf(i->id, sizeof i->id, "%s", id);
	else
		snprintf(i->id, sizeof i->id, "%s-%06" PRIx32, w->id, random & 0xffffff);
	i->worker = w;
	i->runner = runner;
	i->state = INSTANCE_UNINITIALIZED;
	i->state_since_ms = now_ms;
	i->concurrency = w->concurrency;
	i->prefetch = w->prefetch;
	i->ready = i->healthy = true;
	list_init(&i->deliveries);
	list_append(&w->instances, &i->link);
	return i;
}

void instance_forget_capabilities(struct instance *i)
{
	for (size_t n = 0; n < i->capability_n; n++) {
		struct capability *c = &i->capabilities[n];
		char *texts[] = {c->name, c->version, c->summary, c->mode, c->tags_json, c->input_schema, c->output_schema,
			c->item_schema, c->errors_json};
		for (size_t t = 0; t < ARRAY_SIZE(texts); t++)
			free(texts[t]);
	}
	free(i->capabilities);
	i->capabilities = NULL;
	i->capability_n = 0;
}

void instance_free(struct instance *i)
{
	if (!i)
		return;
	instance_forget_capabilities(i);
	free(i->endpoint_metadata);
	list_remove(&i->link);
	free(i);
}

bool instance_speaks_for_itself(const struct instance *i)
{
	const struct health_check *c = &i->worker->health[HEALTH_LIVENESS];
	return c->type == HEALTH_OWN || (c->type == HEALTH_HTTP && *c->url == '/' && strcmp(i->endpoint_type, "url") != 0);
}

void instance_set_endpoint(struct instance *i, struct bytes type, struct bytes address, struct bytes metadata)
{
	snprintf(i->endpoint_type, sizeof i->endpoint_type, "%.*s", (int)type.size, type.data);
	snprintf(i->endpoint_address, sizeof i->endpoint_address, "%.*s", (int)address.size, address.data);
	free(i->endpoint_metadata);
	i->endpoint_metadata = metadata.data ? mem_copy(metadata.data, metadata.size) : NULL;
}

static struct instance_error __attribute__((format(printf, 5, 0))) error_of(
	const char *category, const char *phase, bool recoverable, int64_t now_ms, const char *format, va_list arguments)
{
	struct instance_error x = {.at_ms = now_ms, .recoverable = recoverable};
	snprintf(x.category, sizeof x.category, "%s", category);
	snprintf(x.phase, sizeof x.phase, "%s", phase);
	vsnprintf(x.details, sizeof x.details, format, arguments);
	return x;
}

struct instance_error instance_error_of(
	const char *category, const char *phase, bool recoverable, int64_t now_ms, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct instance_error x = error_of(category, phase, recoverable, now_ms, format, arguments);
	va_end(arguments);
	return x;
}

void instance_set_error(struct instance *i, const char *category, const char *phase, bool recoverable, int64_t now_ms,
	const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	i->last_error = error_of(category, phase, recoverable, now_ms, format, arguments);
	va_end(arguments);
}
