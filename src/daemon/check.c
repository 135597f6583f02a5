/* Workers' own configuration against the schema that their code declares: at start, and by `reeve config check` before anything
 * is started. Only code that is a worker of ours is asked: a program that does not know --describe would start to work. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "config/config.h"
#include "module/load.h"
#include "schema/schema.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DESCRIBE_LIMIT_MS = 10 * 1000,
	DESCRIPTION_MAX = 4 << 20, /* bytes */
};

static enum errcode check_against(
	const char *schema_text, struct bytes config, char pointer[SCHEMA_POINTER_SIZE], struct err *e)
{
	struct schema *schema;
	*pointer = 0;
	enum errcode code = schema_open(bytes_of(schema_text), &schema, e);
	if (code)
		return code;
	code = schema_check_text(schema, config, pointer, e);
	schema_close(schema);
	return code;
}

enum errcode check_config(void *context, const char *schema_text, struct bytes config, struct err *e)
{
	char pointer[SCHEMA_POINTER_SIZE];
	enum errcode code = check_against(schema_text, config, pointer, e);
	if (code)
		err_prefix(e, "config%s", pointer);
	return code;
}

/* ── asking a program ── */

struct asked {
	uv_process_t process;
	uv_pipe_t out;
	uv_timer_t limit;
	struct buf text;
	bool late, ended;
	int64_t status;
};

static void close_once(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* It is over when it has ended and nobody writes any more; what it has left behind may hold the pipe until the limit. */
static void look_for_end(struct asked *a)
{
	if (a->ended && uv_is_closing((uv_handle_t *)&a->out))
		close_once(&a->limit);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct asked *a = process->data;
	a->ended = true;
	a->status = signal ? -1 : status;
	close_once(process);
	look_for_end(a);
}

static void on_late(uv_timer_t *timer)
{
	struct asked *a = timer->data;
	a->late = true;
	if (!a->ended)
		uv_process_kill(&a->process, SIGKILL);
	close_once(&a->out);
	look_for_end(a);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	static char room[65536];
	*out = uv_buf_init(room, sizeof room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *got)
{
	struct asked *a = stream->data;
	if (n > 0)
		buf_add(&a->text, got->base, (size_t)n);
	if (n < 0 || a->text.size > DESCRIPTION_MAX)
		close_once(stream);
	look_for_end(a);
}

/* PROGRAM --describe, within DESCRIBE_LIMIT_MS; its text goes to a->text. */
static enum errcode run_describe(const struct worker_code *code, struct asked *a, struct err *e)
{
	uv_loop_t loop;
	char *arguments[] = {code->executable, "--describe", NULL};
	uv_stdio_container_t streams[] = {{.flags = UV_IGNORE},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&a->out}, {.flags = UV_IGNORE}};
	uv_process_options_t o = {.exit_cb = on_ended,
		.file = code->executable,
		.args = arguments,
		.cwd = code->directory,
		.stdio = streams,
		.stdio_count = (int)ARRAY_SIZE(streams)};
	uv_loop_init(&loop);
	uv_pipe_init(&loop, &a->out, 0);
	uv_timer_init(&loop, &a->limit);
	a->process.data = a->out.data = a->limit.data = a;
	int bad = uv_spawn(&loop, &a->process, &o);
	if (bad) {
		close_once(&a->process);
		close_once(&a->out);
		close_once(&a->limit);
	} else {
		uv_read_start((uv_stream_t *)&a->out, on_room, on_read);
		uv_timer_start(&a->limit, on_late, DESCRIBE_LIMIT_MS, 0);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	if (bad)
		return err_errno(e, -bad, "%s", code->executable);
	if (a->late)
		return err_set(e, E_TIMEOUT, "%s --describe has not ended after %d ms", code->executable, DESCRIBE_LIMIT_MS);
	return a->status == 0 ? E_OK : err_set(e, E_INVALID, "%s --describe fails", code->executable);
}

/* What the SDK gives to a program is in its table of names: reeve_main. */
static bool is_built_with_sdk(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = false;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		found = bytes != MAP_FAILED && memmem(bytes, (size_t)st.st_size, "reeve_main", strlen("reeve_main"));
		if (bytes != MAP_FAILED)
			munmap(bytes, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static enum errcode schema_of_program(const struct worker_code *code, char **out, struct err *e)
{
	struct asked a = {0};
	enum errcode bad = run_describe(code, &a, e);
	json_t *said = bad ? NULL : json_loadb(a.text.data, a.text.size, 0, NULL);
	const json_t *schema = json_object_get(said, "config_schema");
	if (!bad && !said)
		bad = err_set(e, E_INVALID, "%s --describe does not print JSON", code->executable);
	*out = json_is_object(schema) ? json_dumps(schema, 0) : NULL;
	json_decref(said);
	buf_fini(&a.text);
	return bad;
}

static enum errcode schema_of_module(const struct worker_code *code, char **out, struct err *e)
{
	struct abi_worker abi;
	enum errcode bad = load_worker(code->module, code->entry_point, "/tmp", &abi, e);
	*out = !bad && abi.worker.config_schema ? mem_text(abi.worker.config_schema) : NULL;
	return bad;
}

/* ── before anything is started ── */

/* *out NULL: it takes any configuration, or cannot be asked. */
static enum errcode schema_of(struct daemon *d, struct worker *w, char **out, struct err *e)
{
	*out = NULL;
	enum errcode code = workers_resolve(d, w, e);
	if (code)
		return code;
	if (w->type == WORKER_MODULE)
		return schema_of_module(&w->code, out, e);
	if (w->kind != WORKER_INTEGRATED || !w->code.executable || !is_built_with_sdk(w->code.executable))
		return E_OK;
	return schema_of_program(&w->code, out, e);
}

static enum errcode check_worker(struct daemon *d, const struct config *file, size_t n, struct err *e)
{
	char pointer[SCHEMA_POINTER_SIZE], at[SCHEMA_POINTER_SIZE + 40];
	struct worker *w = d->settings->workers[n];
	scoped(mem_free_at) char *schema = NULL;
	struct err why = {0};
	if (schema_of(d, w, &schema, &why) != E_OK) { /* the file may be for another machine */
		fprintf(stderr, "warning: worker \"%s\": its config was not checked: %s\n", w->id, why.text);
		return E_OK;
	}
	if (!schema || check_against(schema, bytes_of(w->config), pointer, &why) == E_OK)
		return E_OK;
	snprintf(at, sizeof at, "/workers/%zu/config%s", n, pointer);
	return config_error(file, at, e, "%s", why.text);
}

enum errcode check_workers(struct daemon *d, struct err *e)
{
	struct config *file = NULL;
	enum errcode code = d->options.config ? config_load(d->options.config, NULL, &file, e) : E_OK;
	for (size_t n = 0; !code && n < d->settings->worker_n; n++)
		code = check_worker(d, file, n, e);
	config_free(file);
	return code;
}
