#include "metrics/write.h"

#include "base/utf8.h"

#include <math.h>

const double write_bounds[METRICS_BUCKETS - 1] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
	0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900};

void write_label(struct buf *out, struct bytes value)
{
	buf_text(out, "\"");
	for (const char *at = value.data, *end = at + value.size; at < end;) {
		unsigned n = utf8_length(at, end);
		if (*at == '"' || *at == '\\')
			buf_format(out, "\\%c", *at);
		else if (*at == '\n')
			buf_text(out, "\\n");
		else
			buf_add(out, n ? at : "?", n ? n : 1);
		at += n ? n : 1;
	}
	buf_text(out, "\"");
}

static void number(struct buf *out, double value)
{
	if (value == floor(value) && fabs(value) < 9e15)
		buf_format(out, " %.0f\n", value);
	else
		buf_format(out, " %.9g\n", value);
}

static void sample(struct buf *out, const struct metric_family *f, const char *suffix, const char *labels, double value)
{
	buf_format(out, *labels ? "%s%s{%s}" : "%s%s%s", f->name, suffix, labels);
	number(out, value);
}

static void histogram(struct buf *out, const struct metric_family *f, const struct metric *m)
{
	uint64_t below = 0;
	for (unsigned i = 0; i < METRICS_BUCKETS; i++) {
		below += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		buf_format(out, "%s_bucket{%s%s", f->name, m->labels, *m->labels ? "," : "");
		if (i < METRICS_BUCKETS - 1)
			buf_format(out, "le=\"%g\"}", write_bounds[i]);
		else
			buf_text(out, "le=\"+Inf\"}");
		number(out, (double)below);
	}
	sample(out, f, "_sum", m->labels, metric_sum(m));
	sample(out, f, "_count", m->labels, (double)below); /* the buckets' own sum: consistent while others observe */
}

void write_family(const struct metric_family *f, struct buf *out)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "untyped"};
	if (!f->series)
		return;
	buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, types[f->type]);
	for (const struct metric *m = f->series; m; m = m->hh.next) {
		if (f->type == METRIC_HISTOGRAM)
			histogram(out, f, m);
		else
			sample(out, f, "", m->labels, metric_value(m));
	}
}
