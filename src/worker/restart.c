#include "worker/restart.h"

#include "base/rfc3339.h"

#include <string.h>

const char *restart_when_word(enum restart_when when)
{
	static const char *const words[] = {"always", "unless-stopped", "on-failure", "never"};
	return words[when];
}

const char *restart_trigger_word(enum restart_trigger t)
{
	static const char *const words[] = {"exit", "health_failure", "resource_violation"};
	return words[t];
}

const char *restart_severity_word(enum restart_severity s)
{
	static const char *const words[] = {"warning", "critical", "emergency"};
	return words[s];
}

static double multiplier(const struct restart_policy *p, const struct restart_cause *cause)
{
	return p->severity[cause->severity] * p->profile;
}

static uint32_t allowed(const struct restart_policy *p, const struct restart_cause *cause)
{
	uint32_t retries = p->rules[cause->trigger].max_retries;
	if (retries == 0 || retries == RESTART_UNLIMITED)
		return retries;
	double n = retries * multiplier(p, cause);
	return n < 1 ? 1 : n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
}

static int64_t backoff(
	const struct restart_policy *p, const struct restart_cause *cause, uint32_t attempts, uint64_t chance)
{
	const struct restart_rule *rule = &p->rules[cause->trigger];
	double wait = (double)rule->delay_ms * multiplier(p, cause);
	for (uint32_t n = 0; n < attempts && wait < (double)p->cap_ms && rule->backoff_rate > 1; n++)
		wait *= rule->backoff_rate;
	int64_t ms = wait < (double)p->cap_ms ? (int64_t)wait : p->cap_ms;
	return ms / 2 + (int64_t)(chance % (uint64_t)(ms / 2 + 1));
}

static bool wanted(const struct restart_policy *p, const struct restart_cause *cause)
{
	if (p->when == RESTART_NEVER || cause->hopeless)
		return false;
	if (cause->clean)
		return p->when == RESTART_ALWAYS || p->when == RESTART_UNLESS_STOPPED;
	return cause->trigger == RESTART_EXIT || cause->ran_ms >= p->startup_grace_ms;
}

int64_t restart_decide(const struct restart_policy *p, struct restart_breaker *b, const struct restart_cause *cause,
	int64_t now_ms, uint64_t chance)
{
	if (!wanted(p, cause))
		return -1;
	if (cause->ran_ms > p->window_ms)
		b->attempts = 0;
	b->last = *cause;
	b->open = !cause->clean && b->attempts >= allowed(p, cause);
	if (b->open)
		return -1;
	b->last_at_ms = now_ms;
	return backoff(p, cause, cause->clean ? 0 : b->attempts++, chance);
}

void restart_reset(struct restart_breaker *b)
{
	memset(b, 0, sizeof *b);
}

void restart_breaker_json(const struct restart_breaker *b, struct buf *out)
{
	bool ever = b->last_at_ms > 0 || b->open;
	buf_format(
		out, "{\"is_open\":%s,\"restart_attempts\":%u,\"last_restart_time\":", b->open ? "true" : "false", b->attempts);
	if (b->last_at_ms > 0) {
		char text[RFC3339_SIZE];
		rfc3339_format(b->last_at_ms, text);
		buf_format(out, "\"%s\"", text);
	} else {
		buf_text(out, "null");
	}
	if (ever)
		buf_format(out, ",\"last_trigger_type\":\"%s\",\"last_severity\":\"%s\"}",
			restart_trigger_word(b->last.trigger), restart_severity_word(b->last.severity));
	else
		buf_text(out, ",\"last_trigger_type\":null,\"last_severity\":null}");
}
