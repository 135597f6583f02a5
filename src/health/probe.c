#include "health/probe.h"

#include "base/mem.h"
#include "os/proc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prober {
	struct loop *loop;
	struct http_client *http;
};

struct prober *prober_new(struct loop *l)
{
	struct prober *p = NEW(struct prober);
	p->loop = l;
	p->http = http_client_new(&(struct http_client_options){.loop = l});
	return p;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	http_client_free(p->http);
	free(p);
}

struct loop *prober_loop(struct prober *p)
{
	return p->loop;
}

struct http_client *prober_http(struct prober *p)
{
	return p->http;
}

/* ── one of them ── */

void probe_init(struct probe *p, const struct probe_ops *ops)
{
	p->ops = ops;
}

static void on_limit(void *context)
{
	probe_tell(context, false, "no answer in time");
}

static void close_probe(struct probe *p)
{
	loop_timer_free(p->limit);
	p->limit = NULL;
	p->done = NULL;
	p->ops->close(p);
}

void probe_tell(struct probe *p, bool ok, const char *format, ...)
{
	char why[PROBE_WHY];
	va_list arguments;
	probe_done *done = p->done;
	void *context = p->context;
	if (!done)
		return;
	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	close_probe(p);
	done(context, ok, why);
}

void probe_cancel(struct probe *p)
{
	if (p)
		close_probe(p);
}

struct probe *probe_ask(
	struct prober *p, const struct probe_question *q, probe_done *done, void *context, char why[PROBE_WHY])
{
	static struct probe *(*const kinds[])(struct prober *, const struct probe_question *, char *) = {
		[HEALTH_HTTP] = probe_http,
		[HEALTH_GRPC] = probe_grpc,
		[HEALTH_TCP] = probe_tcp,
		[HEALTH_EXEC] = probe_exec,
		[HEALTH_PROCESS] = probe_process};
	struct probe *one = kinds[q->check->type](p, q, why);
	if (!one)
		return NULL;
	one->prober = p;
	one->done = done;
	one->context = context;
	one->limit = loop_timer_new(p->loop, on_limit, one);
	loop_timer_set(one->limit, q->check->timeout_ms);
	return one;
}

void probe_split(const char *address, char host[256], char port[8])
{
	const char *colon = strrchr(address, ':');
	size_t n = (size_t)(colon - address);
	if (*address == '[' && n > 1 && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	snprintf(host, 256, "%.*s", (int)n, address);
	snprintf(port, 8, "%s", colon + 1);
}

/* ── process: it is in the process table, and no zombie ── */

struct process_probe {
	struct probe probe;
	struct loop_timer *turn;
	int pid;
};

static void process_close(struct probe *p)
{
	struct process_probe *x = container_of(p, struct process_probe, probe);
	loop_timer_free(x->turn);
	free(x);
}

static const struct probe_ops process_ops = {process_close};

static void process_look(void *context)
{
	struct process_probe *x = context;
	struct proc_stat s;
	bool lives = x->pid > 0 && proc_stat_read(x->pid, &s) && s.state != 'Z' && s.state != 'X';
	if (lives)
		probe_tell(&x->probe, true, "process %d lives", x->pid);
	else
		probe_tell(&x->probe, false, "there is no process %d", x->pid);
}

struct probe *probe_process(struct prober *p, const struct probe_question *q, char why[PROBE_WHY])
{
	struct process_probe *x = NEW(struct process_probe);
	probe_init(&x->probe, &process_ops);
	x->pid = q->instance->pid;
	x->turn = loop_timer_new(p->loop, process_look, x);
	loop_timer_set(x->turn, 0);
	return &x->probe;
}
