#include "base/mem.h"
#include "log/log.h"
#include "process/parts.h"

#include <stdio.h>

static int64_t now(const struct process *p)
{
	return loop_now_ms(p->host->options.loop);
}

void life_running(struct process *p)
{
	struct instance *i = p->instance;
	if (p->running || p->ending || p->exited)
		return;
	p->running = true;
	log_write(LOG_LEVEL_INFO, "worker_running", "worker=%s instance=%s pid=%d capabilities=%zu", i->worker->id, i->id,
		i->pid, i->capability_n);
	p->host->options.events.running(p->host->options.events.context, i);
	host_spoke(p); /* what it holds was offered before, in HELLO */
}

/* ── from the keeper ── */

static void on_spawned(void *context)
{
	struct process *p = context;
	p->instance->pid = p->child->pid;
	log_write(LOG_LEVEL_INFO, "worker_spawned", "worker=%s instance=%s pid=%d", p->instance->worker->id,
		p->instance->id, p->child->pid);
	if (p->kill_wanted)
		end_spawned(p);
	else if (!p->session && !p->ready)
		life_running(p);
}

static void on_spawn_failed(void *context, int error, const char *why)
{
	struct process *p = context;
	struct instance *i = p->instance;
	struct process_host *h = p->host;
	struct instance_error e = {
		.category = "start", .phase = "start", .at_ms = now(p), .recoverable = error == EAGAIN || error == ENOMEM};
	const struct worker *w = i->worker;
	snprintf(e.details, sizeof e.details, "%s: %s",
		w->code.executable	 ? w->code.executable
		: w->executable_path ? w->executable_path
							 : "exec",
		why);
	log_write(LOG_LEVEL_ERROR, "worker_not_spawned", "worker=%s instance=%s error=\"%s\"", w->id, i->id, e.details);
	start_cleanup(p);
	h->options.events.failed(h->options.events.context, i, &e);
}

static void on_exited(void *context)
{
	end_exited(context);
}

const struct keeper_child_events life_child_events = {on_spawned, on_spawn_failed, on_exited};

/* ── from the link ── */

static enum errcode same_capabilities(const struct instance *i, const struct link_hello *hello, struct err *e)
{
	bool same = i->capability_n == hello->capability_n;
	for (size_t n = 0; same && n < i->capability_n; n++)
		same = strcmp(i->capabilities[n].name, hello->capabilities[n].name) == 0;
	return same ? E_OK : err_set(e, E_CONFLICT, "instance %s came back with other capabilities than before", i->id);
}

/* Before WELCOME: its `start` is not called with a configuration that it does not take. As a module's, it is not tried again. */
static enum errcode check_config(struct process *p, const struct link_hello *hello, struct err *e)
{
	const struct process_options *o = &p->host->options;
	if (hello->ready || !hello->config_schema || !o->check_config)
		return E_OK;
	enum errcode code = o->check_config(o->context, hello->config_schema, bytes_of(p->instance->worker->config), e);
	if (code == E_OK)
		return E_OK;
	p->error = (struct instance_error){.category = "config", .phase = "initialize", .at_ms = now(p)};
	snprintf(p->error.details, sizeof p->error.details, "%s", e->text);
	loop_timer_set(p->return_timer, PROCESS_TERM_MS); /* it is told, and exits by itself */
	return code;
}

static enum errcode on_hello(void *context, const struct link_hello *hello, struct err *e)
{
	struct process *p = context;
	struct instance *i = p->instance;
	if (p->ending || p->exited)
		return err_set(e, E_STATE, "instance %s is being ended", i->id);
	if (p->running) {
		enum errcode code = same_capabilities(i, hello, e);
		if (code == E_OK)
			loop_timer_set(p->return_timer, -1);
		return code;
	}
	enum errcode config = check_config(p, hello, e);
	if (config != E_OK)
		return config;
	if (i->worker->package_name && i->worker->code.version && *hello->version &&
		strcmp(hello->version, i->worker->code.version) != 0)
		log_write(LOG_LEVEL_WARNING, "worker_version", "worker=%s package=%s says=%s", i->worker->id,
			i->worker->code.version, hello->version);
	instance_forget_capabilities(i);
	i->capabilities = link_capabilities_copy(hello->capabilities, hello->capability_n);
	i->capability_n = hello->capability_n;
	snprintf(i->program, sizeof i->program, "%s", hello->name);
	snprintf(i->version, sizeof i->version, "%s", hello->version);
	if (!i->pid)
		i->pid = hello->peer_pid; /* the worker may be faster than the keeper's word that it was spawned */
	if (hello->concurrency && hello->concurrency < i->concurrency)
		i->concurrency = hello->concurrency; /* it cannot do more */
	if (!hello->ready)
		host_spoke(p); /* it still starts, so it holds nothing */
	return E_OK;
}

static void on_ready(void *context)
{
	life_running(context);
}

static void on_start_failed(void *context, struct bytes code, struct bytes message)
{
	struct process *p = context;
	p->error = (struct instance_error){.category = "start", .phase = "start", .at_ms = now(p), .recoverable = true};
	snprintf(p->error.details, sizeof p->error.details, "%.*s: %.*s", (int)code.size, code.data, (int)message.size,
		message.data);
	loop_timer_set(p->return_timer, PROCESS_TERM_MS); /* it is about to exit by itself */
}

static struct delivery *on_held(void *context, uint64_t id, uint64_t fence, bool started)
{
	struct process *p = context;
	const struct instance_events *events = &p->host->options.events;
	return events->reclaim ? events->reclaim(events->context, p->instance, id, fence, started) : NULL;
}

static void on_credit(void *context)
{
	struct process *p = context;
	p->host->options.events.credit(p->host->options.events.context, p->instance);
}

static void on_health(void *context, bool healthy, struct bytes why)
{
	struct process *p = context;
	char text[256];
	snprintf(text, sizeof text, "%.*s", (int)why.size, why.data ? why.data : "");
	p->host->options.events.health(
		p->host->options.events.context, p->instance, healthy ? HEALTH_WELL : HEALTH_UNWELL, text);
}

static void on_log(void *context, int severity, struct bytes event, struct bytes fields)
{
	struct process *p = context;
	scoped(buf_fini) struct buf b = {0};
	buf_format(&b, "%s %.*s", log_worker_word(severity), (int)event.size, event.data ? event.data : "");
	if (fields.size)
		buf_format(&b, " %.*s", (int)fields.size, fields.data);
	output_line(p->host->options.outputs, p->instance->worker->id, p->instance->id, OUTPUT_LOG, buf_bytes(&b));
}

static void on_announce(
	void *context, struct bytes name, struct bytes type, struct bytes address, struct bytes metadata)
{
	struct process *p = context;
	p->host->options.announce(p->host->options.context, p->instance, name, type, address, metadata);
}

static void on_bye(void *context)
{
	struct process *p = context;
	loop_timer_set(p->return_timer, PROCESS_TERM_MS); /* its exit should follow */
}

static void on_disconnected(void *context, const char *why)
{
	struct process *p = context;
	if (p->ending || p->exited || p->stopping)
		return;
	log_write(LOG_LEVEL_WARNING, "worker_disconnected", "worker=%s instance=%s why=\"%s\"", p->instance->worker->id,
		p->instance->id, why);
	loop_timer_set(p->return_timer, PROCESS_RETURN_MS);
}

struct link_worker_events life_link_events(struct process *p)
{
	return (struct link_worker_events){.context = p,
		.hello = on_hello,
		.ready = on_ready,
		.start_failed = on_start_failed,
		.held = on_held,
		.credit = on_credit,
		.health = on_health,
		.log = on_log,
		.announce = on_announce,
		.bye = on_bye,
		.disconnected = on_disconnected};
}

void life_on_ready(void *context)
{
	life_running(context);
}

void life_on_status(void *context, struct bytes text)
{
	struct process *p = context;
	scoped(buf_fini) struct buf b = {0};
	buf_format(&b, "info status %.*s", (int)text.size, text.data);
	output_line(p->host->options.outputs, p->instance->worker->id, p->instance->id, OUTPUT_LOG, buf_bytes(&b));
}

void life_on_return_timer(void *context)
{
	struct process *p = context;
	if (p->error.details[0] || p->stopping || link_worker_connected(p->session))
		end_kill(p, "it was about to exit and did not");
	else
		end_kill(p, "its connection ended and it did not come back");
}
