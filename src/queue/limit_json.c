#include "queue/limit.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "job/job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH_MAX = 50000000 };

struct reading {
	char *pointer; /* 96 bytes */
	struct err *e;
};

static enum errcode refuse(struct reading *r, const char *at, const char *name, const json_t *wrong, const char *right)
{
	scoped(mem_free_at) char *text = json_dumps(wrong, JSON_COMPACT | JSON_ENCODE_ANY);
	snprintf(r->pointer, 96, "%s/%.40s", at, name);
	return err_set(r->e, E_INVALID, "%s: must be %s, not %.64s", r->pointer + 1, right, text ? text : "");
}

static enum errcode read_count(
	struct reading *r, const json_t *from, const char *at, const char *name, uint32_t max, uint32_t *out)
{
	const json_t *v = json_object_get(from, name);
	char right[64];
	if (!v || json_is_null(v))
		return E_OK;
	snprintf(right, sizeof right, "a whole number from 1 to %u", max);
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > max)
		return refuse(r, at, name, v, right);
	*out = (uint32_t)json_integer_value(v);
	return E_OK;
}

static enum errcode read_rate(struct reading *r, const json_t *from, const char *at, struct limit *out)
{
	const json_t *v = json_object_get(from, "rate");
	double rate = json_number_value(v);
	if (!v || json_is_null(v))
		return out->burst ? refuse(r, at, "burst", json_object_get(from, "burst"), "absent without a rate") : E_OK;
	if (!json_is_number(v) || !(rate >= 0.001 && rate <= LIMIT_RATE_MAX))
		return refuse(r, at, "rate", v, "a number of jobs a second from 0.001 to 1000000");
	out->rate_milli = (uint32_t)lround(rate * 1000);
	if (!out->burst)
		out->burst = (uint32_t)ceil(rate);
	if (out->burst * 1000.0 < rate) /* the clock counts milliseconds: between two of them nobody looks for tokens */
		return refuse(r, at, "burst", json_object_get(from, "burst"), "at least a thousandth of the rate");
	return E_OK;
}

static enum errcode read_limit(struct reading *r, const json_t *from, const char *at, struct limit *out)
{
	enum errcode code = read_count(r, from, at, "concurrency", LIMIT_CONCURRENCY_MAX, &out->concurrency);
	if (!code)
		code = read_count(r, from, at, "burst", LIMIT_BURST_MAX, &out->burst);
	return code ? code : read_rate(r, from, at, out);
}

static enum errcode check_names(struct reading *r, const json_t *from, const char *at, const char *const *names)
{
	const char *name;
	json_t *value;
	if (!json_is_object(from)) {
		snprintf(r->pointer, 96, "%s", at);
		return err_set(r->e, E_INVALID, "limits%s: are an object", at);
	}
	json_object_foreach((json_t *)from, name, value)
	{
		struct nearest n = {.wrong = bytes_of(name)};
		size_t i = 0;
		for (; names[i] && strcmp(names[i], name) != 0; i++)
			nearest_try(&n, bytes_of(names[i]));
		if (names[i])
			continue;
		snprintf(r->pointer, 96, "%s/%.40s", at, name);
		return n.best.data
				   ? err_set(r->e, E_INVALID, "unknown limit \"%.64s\"; did you mean \"%s\"?", name, n.best.data)
				   : err_set(r->e, E_INVALID, "unknown limit \"%.64s\"; there are concurrency, rate, burst%s", name,
						 *at ? "" : ", max_length and key");
	}
	return E_OK;
}

enum errcode flow_limits_read(const json_t *from, struct flow_limits *out, char *pointer, struct err *e)
{
	static const char *const names[] = {"concurrency", "rate", "burst", "max_length", "key", NULL},
							 *const key_names[] = {"concurrency", "rate", "burst", NULL};
	struct reading r = {pointer, e};
	struct flow_limits l = {0};
	const json_t *key = json_object_get(from, "key");
	enum errcode code = check_names(&r, from, "", names);
	if (!code)
		code = read_limit(&r, from, "", &l.all);
	if (!code)
		code = read_count(&r, from, "", "max_length", LENGTH_MAX, &l.max_length);
	if (!code && key && !json_is_null(key) && !(code = check_names(&r, key, "/key", key_names)))
		code = read_limit(&r, key, "/key", &l.key);
	if (!code)
		*out = l;
	return code;
}

static void add_limit(json_t *to, const struct limit *l)
{
	if (l->concurrency)
		json_object_set_new(to, "concurrency", json_integer(l->concurrency));
	if (!l->rate_milli)
		return;
	json_object_set_new(
		to, "rate", l->rate_milli % 1000 ? json_real(l->rate_milli / 1000.0) : json_integer(l->rate_milli / 1000));
	json_object_set_new(to, "burst", json_integer(l->burst));
}

static bool any(const struct limit *l)
{
	return l->concurrency || l->rate_milli;
}

json_t *flow_limits_json(const struct flow_limits *l)
{
	json_t *all = json_object();
	add_limit(all, &l->all);
	if (l->max_length)
		json_object_set_new(all, "max_length", json_integer(l->max_length));
	if (any(&l->key)) {
		json_t *key = json_object();
		add_limit(key, &l->key);
		json_object_set_new(all, "key", key);
	}
	return all;
}

bool flow_limits_any(const struct flow_limits *l)
{
	return any(&l->all) || any(&l->key) || l->max_length;
}
