#include "metrics/metrics.h"

#include "base/list.h"
#include "base/mem.h"
#include "metrics/write.h"

#include <assert.h>
#include <stdlib.h>

struct collector {
	struct list link;
	void (*collect)(void *context);
	void *context;
};

struct metrics {
	struct list families, collectors;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = NEW(struct metrics);
	list_init(&m->families);
	list_init(&m->collectors);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	list_each(&m->families, at)
	{
		struct metric_family *f = container_of(at, struct metric_family, link);
		metrics_clear(f);
		free(f->name);
		free(f->help);
		for (unsigned i = 0; i < f->label_n; i++)
			free(f->labels[i]);
		free(f);
	}
	list_each(&m->collectors, at) free(container_of(at, struct collector, link));
	free(m);
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);
	return n > k && strcmp(text + n - k, end) == 0;
}

static void add_labels(struct metric_family *f, const char *labels)
{
	while (labels && *labels) {
		size_t n = strcspn(labels, ",");
		assert(n && f->label_n < METRICS_LABELS_MAX);
		f->labels[f->label_n++] = mem_copy(labels, n);
		labels += n + (labels[n] == ',');
	}
}

struct metric_family *metrics_family(
	struct metrics *m, enum metric_type type, const char *name, const char *help, const char *labels)
{
	list_each(&m->families, at)
	{
		struct metric_family *f = container_of(at, struct metric_family, link);
		if (strcmp(f->name, name) == 0) {
			assert(f->type == type);
			return f;
		}
	}
	assert(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0);
	assert((type == METRIC_COUNTER) == ends_in(name, "_total"));
	assert(type != METRIC_HISTOGRAM || ends_in(name, "_seconds"));
	struct metric_family *f = NEW(struct metric_family);
	f->type = type;
	f->name = mem_text(name);
	f->help = mem_text(help);
	add_labels(f, labels);
	list_append(&m->families, &f->link);
	return f;
}

static struct metric *add_metric(struct metric_family *f, const char *key, size_t size)
{
	struct metric *s = NEW(struct metric);
	s->labels = mem_copy(key, size);
	if (f->type == METRIC_HISTOGRAM)
		s->buckets = mem_new(METRICS_BUCKETS * sizeof *s->buckets);
	HASH_ADD_KEYPTR(hh, f->series, s->labels, size, s);
	return s;
}

struct metric *metrics_get(struct metric_family *f, const struct bytes *values)
{
	scoped(buf_fini) struct buf key = {0}; /* as it stands between the braces */
	buf_text(&key, "");
	for (int full = 0; full < 2; full++) {
		buf_clear(&key);
		for (unsigned i = 0; i < f->label_n; i++) {
			buf_format(&key, "%s%s=", i ? "," : "", f->labels[i]);
			write_label(&key, full ? bytes_of("other") : values[i]);
		}
		struct metric *s;
		HASH_FIND(hh, f->series, key.data, key.size, s);
		if (s)
			return s;
		if (full || HASH_COUNT(f->series) < METRICS_SERIES_MAX)
			break;
	}
	return add_metric(f, key.data, key.size);
}

struct metric *metrics_get1(struct metric_family *f, const char *value)
{
	assert(f->label_n == 1);
	struct bytes v = bytes_of(value);
	return metrics_get(f, &v);
}

void metrics_clear(struct metric_family *f)
{
	struct metric *s, *next;
	HASH_ITER(hh, f->series, s, next)
	{
		HASH_DEL(f->series, s);
		free(s->labels);
		free(s->buckets);
		free(s);
	}
}

/* A double lives in the 64 bits of an atomic integer: there is no atomic addition for it that every compiler inlines. */
static uint64_t bits_of(double d)
{
	uint64_t u;
	memcpy(&u, &d, sizeof u);
	return u;
}

static double double_of(uint64_t u)
{
	double d;
	memcpy(&d, &u, sizeof d);
	return d;
}

void metric_add(struct metric *m, uint64_t n)
{
	atomic_fetch_add_explicit(&m->count, n, memory_order_relaxed);
}

void metric_set(struct metric *m, double value)
{
	atomic_store_explicit(&m->set, bits_of(value), memory_order_relaxed);
}

void metric_observe(struct metric *m, double seconds)
{
	unsigned i = 0;
	while (i < METRICS_BUCKETS - 1 && seconds > write_bounds[i])
		i++;
	atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->count, 1, memory_order_relaxed);
	uint64_t old = atomic_load_explicit(&m->set, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&m->set, &old, bits_of(double_of(old) + seconds), memory_order_relaxed, memory_order_relaxed))
		;
}

double metric_value(const struct metric *m)
{
	uint64_t count = atomic_load_explicit(&m->count, memory_order_relaxed);
	return m->buckets ? (double)count : (double)count + double_of(atomic_load_explicit(&m->set, memory_order_relaxed));
}

double metric_sum(const struct metric *m)
{
	return double_of(atomic_load_explicit(&m->set, memory_order_relaxed));
}

void metrics_on_collect(struct metrics *m, void (*collect)(void *context), void *context)
{
	struct collector *c = NEW(struct collector);
	*c = (struct collector){.collect = collect, .context = context};
	list_append(&m->collectors, &c->link);
}

void metrics_write(struct metrics *m, struct buf *out)
{
	list_each(&m->collectors, at)
	{
		struct collector *c = container_of(at, struct collector, link);
		c->collect(c->context);
	}
	list_each(&m->families, at) write_family(container_of(at, struct metric_family, link), out);
}
