/* reeve up, down, status, logs, events, version */
#include "cli/cli.h"

#include "base/mem.h"
#include <reeve/version.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_LIMIT_S 120

static const struct option_spec up_options[] = {
	{"config", 'c', "FILE", "the configuration (default " DEFAULT_CONFIG ", when it is there)"},
	{"data-dir", 'd', "DIR", "where jobs, blobs and logs are kept"},
	{"detach", 0, NULL, "run in the background; return when workers are ready"},
	{0},
};

/* ── up ── */

struct places { /* as flags, environment and configuration say together: the engine tells */
	const char *config; /* or NULL */
	char *data_dir, *socket;
};

/* The data directory, then the socket. */
static void take_place(void *context, char *line)
{
	struct places *p = context;
	*(p->data_dir ? &p->socket : &p->data_dir) = mem_text(line);
}

static int find_places(const struct args *a, struct places *p)
{
	char *argv[10] = {"reeve-engine", "--where"};
	engine_add_places(a, argv, 2);
	*p = (struct places){.config = engine_config(a)};
	int code = engine_run(argv, take_place, p);
	if (code)
		return code;
	return p->socket ? EXIT_OK : complain(EXIT_FAILED, "reeve-engine --where answers without a socket");
}

static void exec_daemon(const struct places *p)
{
	char path[PATH_MAX];
	const char *argv[10] = {
		"reeved", "--data-dir", p->data_dir, "--socket", p->socket, p->config ? "--config" : NULL, p->config};
	snprintf(path, sizeof path, "%s/reeved", program_directory);
	execv(path, (char **)argv);
	complain(EXIT_FAILED, "%s: %m", path);
}

/* Where the daemon of this data directory says it listens; nobody else knows when the configuration names it. */
static void find_socket(const char *data_dir)
{
	static char path[256];
	char file[PATH_MAX];
	snprintf(file, sizeof file, "%s/run/socket", data_dir);
	FILE *f = fopen(file, "r");
	if (f && fgets(path, sizeof path, f)) {
		path[strcspn(path, "\n")] = 0;
		client_socket = path;
	}
	if (f)
		fclose(f);
}

/* What was said since: the log goes on over restarts. */
static void print_log(const char *file, long from)
{
	char line[1024];
	FILE *f = fopen(file, "r");
	if (f)
		fseek(f, from, SEEK_SET);
	while (f && fgets(line, sizeof line, f))
		fputs(line, stderr);
	if (f)
		fclose(f);
}

/* Another daemon may answer on the socket that ours could not take. */
static bool answered_by(pid_t keeper)
{
	struct reply r;
	if (!client_reachable("/readyz") || client_get("/status", &r) != EXIT_OK)
		return false;
	json_int_t pid = json_integer_value(json_object_get(r.json, "keeper_pid"));
	reply_fini(&r);
	return pid == keeper;
}

/* Ready, or ended: its log then says why. */
static int wait_ready(pid_t child, const char *log, long from)
{
	time_t until = time(NULL) + READY_LIMIT_S;
	while (time(NULL) < until) {
		int status;
		if (waitpid(child, &status, WNOHANG) == child) {
			print_log(log, from);
			return EXIT_FAILED;
		}
		if (answered_by(child))
			return EXIT_OK;
		poll(NULL, 0, 20);
	}
	return complain(
		EXIT_TRY_AGAIN, "the daemon is not ready after %d s; see %s and `reeve status`", READY_LIMIT_S, log);
}

/* Two descriptors of a file with the daemon's own words; its stdin is nothing. */
static void detach(const char *log)
{
	setsid();
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
}

static int start_detached(const struct places *p)
{
	char log[PATH_MAX];
	snprintf(log, sizeof log, "%s/reeved.log", p->data_dir);
	client_socket = p->socket;
	if (client_reachable("/livez"))
		return complain(EXIT_FAILED, "another process listens on %s; stop it or choose another socket", p->socket);
	if (mkdir(p->data_dir, 0700) != 0 && errno != EEXIST)
		return complain(EXIT_FAILED, "%s: %m", p->data_dir);
	struct stat st = {0};
	stat(log, &st); /* none yet: it begins at 0 */
	pid_t child = fork();
	if (child == 0) {
		detach(log);
		exec_daemon(p);
		_exit(EXIT_FAILED);
	}
	return child < 0 ? complain(EXIT_FAILED, "fork: %m") : wait_ready(child, log, (long)st.st_size);
}

static int up(const struct args *a)
{
	static struct places p; /* its texts are in use until the end */
	int code = find_places(a, &p);
	if (code)
		return code;
	if (arg_option(a, "detach"))
		return start_detached(&p);
	exec_daemon(&p);
	return EXIT_FAILED;
}

/* ── down ── */

static const struct option_spec down_options[] = {
	{"data-dir", 'd', "DIR", "of the daemon that is meant, when --socket does not say"},
	{"timeout", 0, "SECONDS", "how long to wait for it to end (default 120)"},
	{0},
};

static int wait_exit(pid_t pid, int seconds)
{
	scoped(mem_close_at) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == ESRCH)
		return EXIT_FAILED;
	if (fd < 0 || kill(pid, SIGTERM) != 0)
		return complain(EXIT_FAILED, "process %d: %m", (int)pid);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, seconds * 1000) == 1
			   ? EXIT_OK
			   : complain(EXIT_TRY_AGAIN, "the daemon (process %d) still runs after %d s", (int)pid, seconds);
}

static int down(const struct args *a)
{
	struct reply r;
	uint64_t seconds = 120;
	int code = input_number(a, "timeout", 24 * 3600, &seconds);
	if (code)
		return code;
	if (arg_option(a, "data-dir") && !client_socket)
		find_socket(arg_option(a, "data-dir"));
	if (!client_reachable("/livez"))
		return complain(EXIT_NOT_RUNNING, "no daemon runs there");
	if ((code = client_get("/status", &r)))
		return code;
	pid_t pid = (pid_t)json_integer_value(json_object_get(r.json, "keeper_pid"));
	if (pid <= 0)
		pid = (pid_t)json_integer_value(json_object_get(r.json, "pid"));
	reply_fini(&r);
	return wait_exit(pid, (int)seconds);
}

/* ── status, logs, events ── */

static void print_member(const char *name, const json_t *value)
{
	if (json_is_object(value)) {
		const char *inner;
		json_t *member;
		json_object_foreach((json_t *)value, inner, member)
		{
			char both[128];
			snprintf(both, sizeof both, "%s.%s", name, inner);
			print_member(both, member);
		}
		return;
	}
	scoped(mem_free_at) char *text =
		json_is_string(value) ? mem_text(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	printf("%-24s %s\n", name, text);
}

static int status(const struct args *a)
{
	struct reply r;
	if (!client_reachable("/livez"))
		return complain(EXIT_NOT_RUNNING, "no daemon runs there (`reeve up` starts one)");
	int code = client_get("/status", &r);
	if (code)
		return code;
	const char *name;
	json_t *value;
	if (a->json)
		print_json(r.json);
	else
		json_object_foreach(r.json, name, value) print_member(name, value);
	reply_fini(&r);
	return EXIT_OK;
}

static const struct option_spec logs_options[] = {
	{"follow", 'f', NULL, "go on with new lines until interrupted"},
	{"lines", 'n', "N", "so many of the last lines (default 100)"},
	{0},
};

static bool print_line(void *context, struct bytes line)
{
	fwrite(line.data, 1, line.size, stdout);
	return putchar('\n') != EOF && fflush(stdout) == 0;
}

static int logs(const struct args *a)
{
	scoped(buf_fini) struct buf path = {0};
	if (a->operand_n) {
		scoped(mem_free_at) char *worker = url_path("/v1/workers/", a->operands[0], "/logs");
		buf_text(&path, worker);
	} else {
		buf_text(&path, "/v1/logs");
	}
	uint64_t lines = 100;
	int code = input_number(a, "lines", INT32_MAX, &lines);
	if (code)
		return code;
	buf_format(&path, "?lines=%" PRIu64 "%s", lines, arg_option(a, "follow") ? "&follow=true" : "");
	return client_follow(path.data, print_line, NULL);
}

/* Of server-sent events the data lines are what a person or a script wants. */
static bool print_event(void *context, struct bytes line)
{
	if (line.size < 6 || memcmp(line.data, "data: ", 6) != 0)
		return true;
	return print_line(context, (struct bytes){line.data + 6, line.size - 6});
}

static int events(const struct args *a)
{
	return client_follow("/v1/events", print_event, NULL);
}

static int version(const struct args *a)
{
	if (a->json)
		printf("{\"version\": \"" REEVE_VERSION "\"}\n");
	else
		printf("reeve " REEVE_VERSION "\n");
	return EXIT_OK;
}

const struct command daemon_commands[] = {
	{"up", "", "", "Start the daemon", up_options, 0, 0, up},
	{"down", "", "", "Stop the daemon: workers drain first", down_options, 0, 0, down},
	{"status", "", "", "Show how the daemon is", NULL, 0, 0, status},
	{"logs", "", "[WORKER]", "Print what workers wrote", logs_options, 0, 1, logs},
	{"events", "", "", "Follow everything that happens, a JSON line each", NULL, 0, 0, events},
	{"version", "", "", "Print the version", NULL, 0, 0, version},
	{0},
};
