/* write.h - what a family looks like inside, and its text. For metrics.c only. */
#pragma once
#include "base/list.h"
#include "metrics/metrics.h"

#include <stdatomic.h>
#include <uthash.h>

#define METRICS_BUCKETS 22 /* the last is +Inf */
extern const double write_bounds[METRICS_BUCKETS - 1];

struct metric {
	char *labels; /* `a="x",b="y"`: the key, and as it is written */
	_Atomic uint64_t count;
	_Atomic uint64_t set; /* a double's bits: a gauge's value, a histogram's sum */
	_Atomic uint64_t *buckets; /* of a histogram: not cumulative */
	UT_hash_handle hh;
};

struct metric_family {
	struct list link;
	enum metric_type type;
	char *name, *help, *labels[METRICS_LABELS_MAX];
	unsigned label_n;
	struct metric *series;
};

double metric_sum(const struct metric *m);
void write_label(struct buf *out, struct bytes value); /* quoted */
void write_family(const struct metric_family *f, struct buf *out); /* nothing when it has no series */
