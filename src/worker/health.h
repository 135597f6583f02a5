/* health.h - what is asked of an instance, how often, and what the answers mean. Pure; src/health does the asking.
 *
 * Three questions, with the meaning that Kubernetes gives them:
 *   startup     has it started? Until it has, the instance is `starting` and nothing else is asked. Failed: it is ended.
 *   readiness   can it be given work now? Failed: it gets none, and is left alone.
 *   liveness    does it live? The first failure makes it degraded (it goes on), `failure_threshold` in a row unhealthy: it gets
 *               no work, and is started again where its restart policy says so.
 * Liveness that nothing is configured for is the instance's own word: what its link or its module's `healthy` says; and so it is
 * as long as there is a path to ask but no URL that the instance has announced. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum health_type { HEALTH_NONE, HEALTH_OWN, HEALTH_HTTP, HEALTH_GRPC, HEALTH_TCP, HEALTH_EXEC, HEALTH_PROCESS };
enum health_question { HEALTH_STARTUP, HEALTH_READINESS, HEALTH_LIVENESS, HEALTH_QUESTIONS };
enum health_status { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY };
enum health_answer { HEALTH_WELL, HEALTH_UNWELL, HEALTH_STUCK }; /* stuck: counts as the whole threshold */

struct health_check { /* one question; owns its texts */
	enum health_type type;
	char *url; /* http: whole, or a path below the URL that the instance announces */
	char *method, **headers; /* http: "GET"; "Name: value", NULL last, or NULL */
	char *address; /* grpc, tcp: "host:port" */
	char *service; /* grpc: of grpc.health.v1; "" the server as a whole */
	char *rpc; /* grpc: another call that only has to succeed, "/proto.CoreService/Ping"; or NULL */
	char **command; /* exec; NULL last */
	int64_t interval_ms, timeout_ms, initial_delay_ms;
	unsigned failure_threshold, success_threshold;
	int restart; /* liveness: an unhealthy instance is started again; -1: when it was asked, not by its own word */
	bool given; /* in the declaration; else by the package, or by default */
};

struct health_state {
	enum health_status status;
	unsigned failures, successes; /* in a row */
	int64_t last_at_ms; /* 0: never asked */
	char why[256]; /* of the last failure in a row; "" when well */
};

/* Reads `startup_probe`, `readiness_probe`, `liveness_probe` or `health_check` of a worker's declaration. `managed`: a
 * program that has no word of its own. What the schema cannot say is refused: e, and `at` the pointer within the worker. */
enum errcode health_parse(
	const json_t *worker, bool managed, struct health_check checks[HEALTH_QUESTIONS], char at[128], struct err *e);
/* What the package says: a URL, or a path below the one that the instance announces. Counts when the declaration says nothing. */
void health_set_endpoint(struct health_check *liveness, const char *endpoint, int64_t interval_ms);
void health_check_fini(struct health_check *c);

/* True when the status changed. */
bool health_count(
	const struct health_check *c, struct health_state *s, enum health_answer answer, const char *why, int64_t now_ms);

const char *health_status_word(enum health_status s); /* "degraded" */
const char *health_type_word(enum health_type t); /* "http" */
const char *health_question_word(enum health_question q); /* "readiness" */
