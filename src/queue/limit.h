/* limit.h - how many at once and how often: what a limit is, and the gate that counts against it. Pure; the clock is a parameter.
 *
 * A rate is a token bucket without a timer: `burst` tokens fit in, `rate` come back each second, a job that is given out takes
 * one. All that is kept is the time at which the bucket will be full again: a token fits in when that is at most `burst - 1`
 * tokens ahead. So in any time w at most burst + rate * w jobs are given out. */
#pragma once
#include "base/err.h"
#include "base/heap.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { LIMIT_CONCURRENCY_MAX = 1000000, LIMIT_RATE_MAX = 1000000, LIMIT_BURST_MAX = 1000000, LIMIT_WEIGHT_MAX = 1000 };

struct limit {
	uint32_t concurrency; /* at once; 0: any number */
	uint32_t rate_milli; /* a thousand times the jobs a second; 0: any */
	uint32_t burst; /* with a rate: 1 or more */
};

struct flow_limits { /* of a queue or a namespace */
	struct limit all, key; /* key: of each key of a queue */
	uint32_t max_length; /* jobs that wait, pending or scheduled; 0: any number */
};

enum gate_state { GATE_OPEN, GATE_CONCURRENCY, GATE_RATE };

struct gate { /* of a queue, a namespace or a tenant */
	struct heap_node wake; /* in queues.wakes: GATE_RATE, until its next token comes */
	int64_t full_at_ns; /* Unix time */
	uint32_t places; /* jobs in hands, until their outcome is durable or they wait again */
	uint8_t state; /* enum gate_state, as when it was last tried */
};

/* drained_at_ms: the bucket was empty then, as far as anybody knows (the engine began again), or 0. When it is GATE_RATE:
 * *opens_at_ms is the first millisecond in which there is a token. What the bucket owes by an earlier limit is cut to this one's. */
enum gate_state gate_look(
	struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms, int64_t *opens_at_ms);
void gate_spend(struct gate *g, const struct limit *l, int64_t now_ms, int64_t drained_at_ms);
int64_t gate_full_at_ms(const struct gate *g); /* from then on the gate remembers nothing */

/* {"concurrency":10,"rate":5.5,"burst":20,"key":{...},"max_length":1000}: the one form, of the configuration, the API and the
 * store. A member that is absent or null is no limit; burst is the rate, rounded up, unless said. pointer[96] gets the place of
 * what is wrong ("/key/rate"). limit_json.c */
enum errcode flow_limits_read(const json_t *from, struct flow_limits *out, char *pointer, struct err *e);
json_t *flow_limits_json(const struct flow_limits *l); /* an object, empty when there are none; the caller's */
bool flow_limits_any(const struct flow_limits *l);
