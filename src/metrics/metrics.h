/* metrics.h - numbers about ourselves: counters, gauges, histograms with labels, written in Prometheus' text format.
 *
 * A family has a name, a help text and label names; a metric is one series of it, with label values. Get a metric once, keep
 * the pointer (it lives until its family is cleared), count with it: that is one atomic addition, from any thread. Families
 * and metrics are made, cleared and written on the loop thread.
 *
 * What can be asked when somebody looks (the depth of a queue) is not counted: a collector sets it just before the text is
 * written. Names: `reeve_..._total` for counters, base units (seconds, bytes), checked when a family is made.
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4). */
#pragma once
#include "base/bytes.h"

#include <stdint.h>

enum { METRICS_LABELS_MAX = 6, METRICS_SERIES_MAX = 4096 }; /* of one family; what comes above is counted as "other" */

enum metric_type {
	METRIC_COUNTER, /* grows; its name ends in _total */
	METRIC_GAUGE, /* goes up and down */
	METRIC_HISTOGRAM, /* seconds: buckets from 100 microseconds to 15 minutes */
	METRIC_UNTYPED, /* names that are older than the rules */
};

struct metrics;
struct metric_family;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* `labels`: names with commas between, or NULL. The same name again gives the same family. Texts are copied. */
struct metric_family *metrics_family(
	struct metrics *m, enum metric_type type, const char *name, const char *help, const char *labels);
/* One value for each label name, in their order; none for NULL labels. Made when it is not there. */
struct metric *metrics_get(struct metric_family *f, const struct bytes *values);
struct metric *metrics_get1(struct metric_family *f, const char *value); /* for one label */
void metrics_clear(struct metric_family *f); /* forgets every series; pointers to them are dead */

void metric_add(struct metric *m, uint64_t n); /* counters, untyped; any thread */
void metric_set(struct metric *m, double value); /* gauges, untyped; any thread */
void metric_observe(struct metric *m, double seconds); /* histograms; any thread */
double metric_value(const struct metric *m); /* of a histogram: how many were observed */

/* Called in metrics_write before the text is made: to set gauges. */
void metrics_on_collect(struct metrics *m, void (*collect)(void *context), void *context);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_write(struct metrics *m, struct buf *out); /* families in the order of their making */
