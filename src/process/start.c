#include "base/mem.h"
#include "base/random.h"
#include "os/fd.h"
#include "os/path.h"
#include "process/exec_config.h"
#include "process/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TOKEN_DIGITS = 64 };

/* Names within the child's directory. */
static const char *const file_names[] = {"link", "token", "stdout", "stderr", "exec.json", "notify", "ready"};
enum { FILE_LINK, FILE_TOKEN, FILE_STDOUT, FILE_STDERR, FILE_EXEC, FILE_NOTIFY, FILE_READY, FILES };

static char *file_of(const struct process *p, int file)
{
	struct buf b = {0};
	buf_format(&b, "%s/%s", p->directory, file_names[file]);
	return buf_take(&b);
}

static void remove_files(const struct process *p)
{
	for (int n = 0; n < FILES; n++) {
		scoped(mem_free_at) char *path = file_of(p, n);
		unlink(path); /* most are not there */
	}
	rmdir(p->directory);
}

static enum errcode write_private(const struct process *p, int file, struct bytes content, struct err *e)
{
	scoped(mem_free_at) char *path = file_of(p, file);
	scoped(mem_close_at) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, content.data, content.size) < 0)
		return err_errno(e, errno, "writing %s", path);
	return E_OK;
}

static enum errcode read_token(const struct process *p, char token[TOKEN_DIGITS + 1], struct err *e)
{
	scoped(mem_free_at) char *path = file_of(p, FILE_TOKEN);
	if (fd_read_file(path, token, TOKEN_DIGITS + 1) != TOKEN_DIGITS)
		return err_errno(e, errno, "reading %s", path);
	return E_OK;
}

static struct process *process_new(struct process_host *h, struct instance *i, struct keeper_child *child)
{
	struct process *p = NEW(struct process);
	struct buf b = {0};
	p->host = h;
	p->instance = i;
	p->child = child;
	buf_format(&b, "%s/%u", h->run_directory, child->slot);
	p->directory = buf_take(&b);
	buf_format(&b, "%s/%s", h->scratch_directory, i->id);
	p->scratch = buf_take(&b);
	p->stop_timer = loop_timer_new(h->options.loop, end_on_stop_timer, p);
	p->return_timer = loop_timer_new(h->options.loop, life_on_return_timer, p);
	list_append(&h->processes, &p->link);
	return p;
}

void start_release(struct process *p)
{
	if (p->session)
		link_worker_close(p->session, NULL);
	log_pipe_close(p->out);
	log_pipe_close(p->err);
	ready_close(p->ready);
	loop_timer_free(p->stop_timer);
	loop_timer_free(p->return_timer);
	list_remove(&p->link);
	if (p->instance->runner_data == p)
		p->instance->runner_data = NULL;
	free(p->directory);
	free(p->scratch);
	free(p);
}

void start_cleanup(struct process *p)
{
	keeper_client_forget(p->child);
	remove_files(p);
	start_release(p);
}

static enum errcode open_logs(struct process *p, struct err *e)
{
	scoped(mem_free_at) char *out = file_of(p, FILE_STDOUT), *err = file_of(p, FILE_STDERR);
	struct outputs *o = p->host->options.outputs;
	const char *worker = p->instance->worker->id, *id = p->instance->id;
	enum errcode code = log_pipe_open(o, worker, id, OUTPUT_STDOUT, out, &p->out, e);
	return code == E_OK ? log_pipe_open(o, worker, id, OUTPUT_STDERR, err, &p->err, e) : code;
}

static enum errcode open_ready(struct process *p, struct err *e)
{
	const struct worker *w = p->instance->worker;
	bool newline = w->ready_descriptor != 0;
	scoped(mem_free_at) char *path = file_of(p, newline ? FILE_READY : FILE_NOTIFY);
	if (!newline && !w->ready_notify)
		return E_OK;
	return ready_open(p->host->options.loop, path, newline, life_on_ready, life_on_status, p, &p->ready, e);
}

static enum errcode open_session(struct process *p, const char *token, struct err *e)
{
	const struct worker *w = p->instance->worker;
	if (w->kind == WORKER_MANAGED)
		return E_OK;
	scoped(mem_free_at) char *path = file_of(p, FILE_LINK);
	struct link_worker_options options = {.path = path,
		.token = token,
		.config = bytes_of(w->config ? w->config : "{}"),
		.node = p->host->node,
		.blobs = p->host->options.blobs,
		.listen_fd = -1};
	struct link_worker_events events = life_link_events(p);
	enum errcode code = link_worker_open(p->host->options.loop, p->instance, &options, &events, &p->session, e);
	if (code == E_OK) {
		snprintf(p->instance->endpoint_type, sizeof p->instance->endpoint_type, "ipc");
		snprintf(p->instance->endpoint_address, sizeof p->instance->endpoint_address, "%s", path);
	}
	return code;
}

/* Everything the child finds in its directory. */
static enum errcode prepare(struct process *p, struct err *e)
{
	char token[TOKEN_DIGITS + 1];
	const struct worker *w = p->instance->worker;
	remove_files(p); /* of a child whose slot this was */
	enum errcode code = path_make_directory(p->directory, 0700, e);
	if (code == E_OK)
		code = path_make_directory(p->scratch, 0700, e);
	random_hex(token, TOKEN_DIGITS);
	if (code == E_OK)
		code = write_private(p, FILE_TOKEN, bytes_of(token), e);
	if (code == E_OK && w->exec_n) {
		scoped(buf_fini) struct buf b = {0};
		exec_config_format(w, &b);
		code = write_private(p, FILE_EXEC, buf_bytes(&b), e);
	}
	if (code == E_OK)
		code = open_logs(p, e);
	if (code == E_OK)
		code = open_ready(p, e);
	return code == E_OK ? open_session(p, token, e) : code;
}

/* ── the order ── */

struct strings {
	char **all; /* NULL last */
	size_t n;
};

static void strings_fini(struct strings *s)
{
	while (s->n)
		free(s->all[--s->n]);
	free(s->all);
}

static void add(struct strings *s, char *text) /* takes text */
{
	s->all = mem_resize(s->all, (s->n + 2) * sizeof *s->all);
	s->all[s->n++] = text;
	s->all[s->n] = NULL;
}

static void set(struct strings *s, const char *name, const char *value)
{
	struct buf b = {0};
	if (!value)
		return;
	buf_format(&b, "%s=%s", name, value);
	add(s, buf_take(&b));
}

static bool is_set(char *const *list, const char *name)
{
	size_t n = strlen(name);
	for (; list && *list; list++)
		if (strncmp(*list, name, n) == 0 && (*list)[n] == '=')
			return true;
	return false;
}

/* Of our own environment a worker gets only what tells where things are; secrets of ours stay ours. */
static void build_environment(const struct process *p, struct strings *s)
{
	static const char *const handed_on[] = {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"};
	const struct worker *w = p->instance->worker;
	scoped(mem_free_at) char *link = file_of(p, FILE_LINK), *token = file_of(p, FILE_TOKEN),
							 *exec = file_of(p, FILE_EXEC), *notify = file_of(p, FILE_NOTIFY);
	set(s, KEEPER_ENV_INSTANCE, p->instance->id);
	set(s, "REEVE_WORKER", w->id);
	set(s, "REEVE_SCRATCH", p->scratch);
	if (p->session) {
		set(s, "REEVE_LINK", link);
		set(s, "REEVE_TOKEN_FILE", token);
	}
	if (w->exec_n)
		set(s, "REEVE_EXEC_FILE", exec);
	if (w->ready_notify)
		set(s, "NOTIFY_SOCKET", notify);
	for (size_t n = 0; n < ARRAY_SIZE(handed_on); n++)
		if (!is_set(w->environment, handed_on[n]))
			set(s, handed_on[n], getenv(handed_on[n]));
	for (char **v = w->environment; v && *v; v++)
		add(s, mem_text(*v));
}

static const char *program_of(const struct process_host *h, const struct worker *w)
{
	if (w->exec_n && !w->code.executable)
		return h->exec_program;
	return w->code.executable ? w->code.executable : w->executable_path;
}

static char *const *arguments_of(const struct worker *w)
{
	static char *const none[] = {NULL};
	char *const *args = w->code.executable && w->code.args ? w->code.args : w->args;
	return args ? args : none;
}

static void build_arguments(struct strings *s, const char *program, char *const *args)
{
	add(s, mem_text(program));
	for (; *args; args++)
		add(s, mem_text(*args));
}

static uint32_t build_limits(const struct worker_limits *w, struct keeper_limit *l)
{
	uint32_t n = 0;
	if (w->memory_bytes) /* private memory; RLIMIT_AS would also count what is only mapped */
		l[n++] = (struct keeper_limit){.resource = RLIMIT_DATA, .soft = w->memory_bytes, .hard = w->memory_bytes};
	if (w->processes)
		l[n++] = (struct keeper_limit){.resource = RLIMIT_NPROC, .soft = w->processes, .hard = w->processes};
	if (w->files)
		l[n++] = (struct keeper_limit){.resource = RLIMIT_NOFILE, .soft = w->files, .hard = w->files};
	return n;
}

static enum errcode spawn(struct process *p, struct err *e)
{
	const struct worker *w = p->instance->worker;
	scoped(strings_fini) struct strings argv = {0}, env = {0};
	scoped(mem_free_at) char *out = file_of(p, FILE_STDOUT), *err = file_of(p, FILE_STDERR),
							 *ready = file_of(p, FILE_READY);
	struct keeper_limit limits[KEEPER_LIMITS_MAX];
	build_arguments(&argv, program_of(p->host, w), arguments_of(w));
	build_environment(p, &env);
	struct keeper_order order = {.instance = p->instance->id,
		.directory = w->working_directory ? w->working_directory : w->code.directory,
		.out = out,
		.err = err,
		.ready = w->ready_descriptor ? ready : NULL,
		.ready_fd = w->ready_descriptor,
		.argv = (const char *const *)argv.all,
		.env = (const char *const *)env.all,
		.limits = limits,
		.limit_n = build_limits(&w->limits, limits)};
	return keeper_client_spawn(p->child, &order, &life_child_events, p, e);
}

enum errcode process_check(struct process_host *h, const struct instance *i, struct err *e)
{
	const struct worker *w = i->worker;
	char found[PATH_MAX];
	const char *program = program_of(h, w);
	if (!program)
		return err_set(e, E_NOT_FOUND, "worker \"%s\": %s", w->id,
			w->exec_n ? "the program that runs exec commands (workers/exec) is not installed"
					  : "there is no executable: its package names none");
	enum errcode code = path_find_program(program, w->working_directory, found, sizeof found, e);
	if (code != E_OK)
		err_prefix(e, "worker \"%s\"", w->id);
	return code;
}

enum errcode start_process(struct process_host *h, struct instance *i, struct err *e)
{
	enum errcode code = process_check(h, i, e);
	if (code != E_OK)
		return code;
	struct keeper_child *child = h->listed ? keeper_client_reserve(h->keeper) : NULL;
	if (!child)
		return h->listed ? err_set(e, E_LIMIT, "%u processes run already: that is the most", KEEPER_SLOTS)
						 : err_set(e, E_UNAVAILABLE, "the keeper has not said yet what runs already");
	struct process *p = process_new(h, i, child);
	code = prepare(p, e);
	if (code == E_OK)
		code = spawn(p, e);
	if (code != E_OK) {
		err_prefix(e, "worker \"%s\"", i->worker->id);
		start_cleanup(p);
		return code;
	}
	i->runner_data = p;
	return E_OK;
}

enum errcode start_adopted(struct process_host *h, struct instance *i, struct keeper_child *child, struct err *e)
{
	char token[TOKEN_DIGITS + 1] = "";
	struct process *p = process_new(h, i, child);
	i->runner_data = p;
	i->pid = child->pid;
	keeper_child_watch(child, &life_child_events, p);
	p->adopted = true;
	enum errcode code = open_logs(p, e);
	if (code == E_OK)
		code = open_ready(p, e); /* it may still tell its status */
	if (code == E_OK && i->worker->kind != WORKER_MANAGED)
		code = read_token(p, token, e);
	return code == E_OK ? open_session(p, token, e) : code;
}
