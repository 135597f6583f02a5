/* restart.h - whether an instance that ended, or is not well, is started again, and when: policy, backoff and breaker. Pure.
 *
 *   wait = min(cap, delay * severity * profile * rate^attempts) * U(0.5, 1)
 *   max  = the greater of 1 and max_retries * severity * profile, rounded down; max_retries 0: none
 *
 * When `max` restarts have not led to an instance that ran for `window`, the breaker opens: it is not started again by itself
 * until somebody starts or stops it. What it counts is shown in its diagnostics. */
#pragma once
#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum restart_when {
	RESTART_ALWAYS,
	RESTART_UNLESS_STOPPED, /* as always; but one that was stopped by hand stays stopped when the daemon starts again */
	RESTART_ON_FAILURE, /* another exit status than 0, a signal, a failed start, a probe, a limit */
	RESTART_NEVER
};
enum restart_trigger { RESTART_EXIT, RESTART_HEALTH, RESTART_RESOURCE, RESTART_TRIGGERS };
enum restart_severity { RESTART_WARNING, RESTART_CRITICAL, RESTART_EMERGENCY, RESTART_SEVERITIES };

#define RESTART_UNLIMITED UINT32_MAX

struct restart_rule { /* of one trigger */
	uint32_t max_retries; /* or RESTART_UNLIMITED */
	int64_t delay_ms;
	double backoff_rate;
};

struct restart_policy {
	enum restart_when when;
	struct restart_rule rules[RESTART_TRIGGERS];
	double severity[RESTART_SEVERITIES], profile; /* multipliers */
	int64_t cap_ms, window_ms;
	int64_t startup_grace_ms; /* after each start: neither probes nor limits restart it */
	int64_t sustained_ms,
		spike_ms; /* a limit that is exceeded counts after so long; shorter than a spike it is not even told */
};

struct restart_cause {
	enum restart_trigger trigger;
	enum restart_severity severity;
	int64_t ran_ms; /* since it was running; 0: it never was */
	bool clean; /* it ended by itself with status 0 */
	bool hopeless; /* the same would happen again: there is no such file */
};

struct restart_breaker { /* of one instance */
	uint32_t attempts; /* restarts since it last ran for a while */
	bool open;
	int64_t last_at_ms; /* when the last restart was decided; 0: never */
	struct restart_cause last;
};

/* The milliseconds to wait, or -1: it is not started again by itself. `chance`: 64 random bits. */
int64_t restart_decide(const struct restart_policy *p, struct restart_breaker *b, const struct restart_cause *cause,
	int64_t now_ms, uint64_t chance);
void restart_reset(struct restart_breaker *b); /* closed, nothing counted */

const char *restart_when_word(enum restart_when when); /* "unless-stopped" */
const char *restart_trigger_word(enum restart_trigger t); /* "exit", "health_failure", "resource_violation" */
const char *restart_severity_word(enum restart_severity s); /* "critical" */
/* {"is_open","restart_attempts","last_restart_time","last_trigger_type","last_severity"} */
void restart_breaker_json(const struct restart_breaker *b, struct buf *out);
