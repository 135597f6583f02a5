#include "worker/health.h"

#include "base/mem.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"none", "link", "http", "grpc", "tcp", "exec", "process", NULL};

const char *health_status_word(enum health_status s)
{
	static const char *const words[] = {"unknown", "healthy", "degraded", "unhealthy"};
	return words[s];
}

const char *health_type_word(enum health_type t)
{
	return types[t];
}

const char *health_question_word(enum health_question q)
{
	static const char *const words[] = {"startup", "readiness", "liveness"};
	return words[q];
}

/* ── what the answers mean ── */

bool health_count(
	const struct health_check *c, struct health_state *s, enum health_answer answer, const char *why, int64_t now_ms)
{
	enum health_status before = s->status;
	s->last_at_ms = now_ms;
	if (answer == HEALTH_WELL) {
		s->failures = 0;
		s->successes++;
		*s->why = 0;
		if (before != HEALTH_UNHEALTHY || s->successes >= c->success_threshold)
			s->status = HEALTH_HEALTHY;
		return s->status != before;
	}
	s->successes = 0;
	s->failures = answer == HEALTH_STUCK && s->failures < c->failure_threshold ? c->failure_threshold : s->failures + 1;
	snprintf(s->why, sizeof s->why, "%s", why);
	if (s->failures >= c->failure_threshold)
		s->status = HEALTH_UNHEALTHY;
	else if (before != HEALTH_UNHEALTHY)
		s->status = HEALTH_DEGRADED;
	return s->status != before;
}

/* ── reading ── */

struct reading {
	const char *member; /* "liveness_probe" */
	struct health_check *c;
	char *at;
	struct err *e;
};

static enum errcode refuse(struct reading *r, const char *name, const char *what)
{
	if (r->at)
		snprintf(r->at, 128, "/%s%s%s", r->member, *name ? "/" : "", name);
	return err_set(r->e, E_INVALID, "%s%s%s: %s", r->member, *name ? "." : "", name, what);
}

static enum errcode duration(struct reading *r, const json_t *x, const char *name, int64_t *ms)
{
	const json_t *value = json_object_get(x, name);
	char number[32];
	struct err e;
	if (!value)
		return E_OK;
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	if (units_duration(bytes_of(json_is_string(value) ? json_string_value(value) : number), ms, &e) != E_OK)
		return refuse(r, name, e.text);
	return E_OK;
}

static char *text_of(const json_t *x, const char *name)
{
	return mem_text(json_string_value(json_object_get(x, name)));
}

static void read_headers(struct health_check *c, const json_t *headers)
{
	const char *name;
	json_t *value;
	size_t n = 0;
	if (!headers)
		return;
	c->headers = mem_new((json_object_size(headers) + 1) * sizeof *c->headers);
	json_object_foreach((json_t *)headers, name, value)
	{
		struct buf b = {0};
		buf_format(&b, "%s: %s", name, json_string_value(value));
		c->headers[n++] = buf_take(&b);
	}
}

static void read_command(struct health_check *c, const json_t *command)
{
	if (!command)
		return;
	c->command = mem_new((json_array_size(command) + 1) * sizeof *c->command);
	for (size_t k = 0; k < json_array_size(command); k++)
		c->command[k] = mem_text(json_string_value(json_array_get(command, k)));
}

static void read_address(struct health_check *c, const json_t *x)
{
	const json_t *port = json_object_get(x, "port");
	c->address = text_of(x, "address");
	if (!c->address && port) {
		struct buf b = {0};
		buf_format(&b, "127.0.0.1:%d", (int)json_integer_value(port));
		c->address = buf_take(&b);
	}
}

static enum health_type type_of(const struct health_check *c, const json_t *x)
{
	const char *type = json_string_value(json_object_get(x, "type"));
	for (int k = 0; type && types[k]; k++)
		if (strcmp(type, types[k]) == 0)
			return (enum health_type)k;
	return c->url ? HEALTH_HTTP : c->command ? HEALTH_EXEC : c->address ? HEALTH_TCP : HEALTH_OWN;
}

static enum errcode check_type(struct reading *r, bool managed)
{
	const struct health_check *c = r->c;
	if (c->type == HEALTH_HTTP && !c->url)
		return refuse(r, "endpoint", "type http needs it: a URL, http://127.0.0.1:8080/health");
	if (c->type == HEALTH_HTTP && managed && *c->url == '/')
		return refuse(
			r, "endpoint", "a managed program announces no URL that a path could be added to; name the whole URL");
	if (c->type == HEALTH_HTTP && *c->url != '/' && strncmp(c->url, "http://", 7) != 0 &&
		strncmp(c->url, "https://", 8) != 0)
		return refuse(r, "endpoint", "a URL begins with http:// or https://, a path with /");
	if ((c->type == HEALTH_GRPC || c->type == HEALTH_TCP) && !c->address)
		return refuse(r, "address", "types grpc and tcp need it, or port: \"127.0.0.1:9000\"");
	if (c->address) {
		const char *colon = strrchr(c->address, ':');
		char *end = NULL;
		long port = colon ? strtol(colon + 1, &end, 10) : 0;
		if (!colon || colon == c->address || !colon[1] || *end || port < 1 || port > 65535)
			return refuse(r, "address", "it is host:port, the port from 1 to 65535");
	}
	if (c->type == HEALTH_EXEC && !c->command)
		return refuse(r, "command", "type exec needs it: [\"/usr/bin/pg_isready\", \"-q\"]");
	if (c->type == HEALTH_OWN && managed)
		return refuse(r, "type", "a managed program has no word of its own; use http, grpc, tcp, exec or process");
	return E_OK;
}

static enum errcode read_check(struct reading *r, const json_t *x, bool managed)
{
	struct health_check *c = r->c;
	c->url = text_of(x, "endpoint");
	c->method = text_of(x, "method");
	c->service = text_of(x, "service");
	c->rpc = text_of(x, "rpc");
	read_headers(c, json_object_get(x, "headers"));
	read_command(c, json_object_get(x, "command"));
	read_address(c, x);
	c->type = type_of(c, x);
	c->given = true;
	if (json_object_get(x, "restart"))
		c->restart = json_is_true(json_object_get(x, "restart"));
	if (json_object_get(x, "failure_threshold"))
		c->failure_threshold = (unsigned)json_integer_value(json_object_get(x, "failure_threshold"));
	if (json_object_get(x, "success_threshold"))
		c->success_threshold = (unsigned)json_integer_value(json_object_get(x, "success_threshold"));
	enum errcode code = duration(r, x, "interval", &c->interval_ms);
	if (code == E_OK)
		code = duration(r, x, "timeout", &c->timeout_ms);
	if (code == E_OK)
		code = duration(r, x, "initial_delay", &c->initial_delay_ms);
	if (code == E_OK && (c->interval_ms < 1 || c->timeout_ms < 1))
		return refuse(r, c->interval_ms < 1 ? "interval" : "timeout", "it must be above 0");
	return code ? code : check_type(r, managed);
}

enum errcode health_parse(
	const json_t *worker, bool managed, struct health_check checks[HEALTH_QUESTIONS], char at[128], struct err *e)
{
	static const char *const members[HEALTH_QUESTIONS] = {"startup_probe", "readiness_probe", "liveness_probe"};
	for (int q = 0; q < HEALTH_QUESTIONS; q++) {
		struct reading r = {members[q], &checks[q], at, e};
		const json_t *x = json_object_get(worker, members[q]);
		const json_t *plain = q == HEALTH_LIVENESS ? json_object_get(worker, "health_check") : NULL;
		checks[q] = (struct health_check){.type = q == HEALTH_LIVENESS && !managed ? HEALTH_OWN : HEALTH_NONE,
			.interval_ms = 10000,
			.timeout_ms = 5000,
			.failure_threshold = q == HEALTH_STARTUP ? 30 : 3,
			.success_threshold = 1,
			.restart = -1};
		if (x && plain)
			return refuse(&r, "", "health_check is the same question; give one of them");
		if (plain)
			r.member = "health_check";
		enum errcode code = x || plain ? read_check(&r, x ? x : plain, managed) : E_OK;
		if (code != E_OK)
			return code;
		if (q != HEALTH_LIVENESS && checks[q].type == HEALTH_OWN)
			return refuse(
				&r, "type", "what an instance says itself is its liveness; use http, grpc, tcp, exec or process");
	}
	return E_OK;
}

void health_set_endpoint(struct health_check *liveness, const char *endpoint, int64_t interval_ms)
{
	if (liveness->given)
		return;
	free(liveness->url);
	liveness->url = mem_text(endpoint);
	liveness->type = endpoint ? HEALTH_HTTP : liveness->type == HEALTH_HTTP ? HEALTH_OWN : liveness->type;
	if (interval_ms > 0)
		liveness->interval_ms = interval_ms;
}

static void texts_fini(char **texts)
{
	for (size_t k = 0; texts && texts[k]; k++)
		free(texts[k]);
	free(texts);
}

void health_check_fini(struct health_check *c)
{
	free(c->url);
	free(c->method);
	free(c->address);
	free(c->service);
	free(c->rpc);
	texts_fini(c->headers);
	texts_fini(c->command);
	*c = (struct health_check){0};
}
