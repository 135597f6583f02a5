/* order.h - who starts after whom, and stops before whom: `after` of the workers. Pure.
 *
 * A worker is started when each worker that it names has an instance that runs and is ready (its startup probe has passed, its
 * readiness probe says so). One that is not wanted (disabled, stopped by hand, not there) holds nobody up; one that failed does. It
 * concerns new instances: what runs goes on when those it named are restarted. */
#pragma once
#include "worker/worker.h"

enum { ORDER_AFTER_MAX = 64 }; /* names in one `after` */

/* Of the workers of one file: unknown names, a worker after itself, a circle. `which`: the one that is wrong. */
enum errcode order_check(struct worker *const *all, size_t n, size_t *which, struct err *e);
/* The first that w still waits for, or NULL. `workers` is of struct worker.link. */
const char *order_waits_for(const struct list *workers, const struct worker *w);
/* True when another worker that comes after w has an instance that has not ended. */
bool order_is_needed(const struct list *workers, const struct worker *w);
