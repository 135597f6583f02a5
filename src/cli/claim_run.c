/* claim_run.c - `reeve claim run`: a pull client for commands. One job at a time; its lease goes on while the command runs.
 *
 * Its last word of progress goes with each heartbeat. As with exec workers: exit 0 is success and stdout the result (JSON, or text that becomes a string), 75 is "try again later", any
 * other a failure with the end of stderr. Killed by a signal: may be tried again. A job that was cancelled ends its command.
 * SIGTERM, SIGINT: the command at hand may end; the second one ends it, and gives its job back. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RETRY_STATUS = 75, GRACE_MS = 5000, MESSAGE_MAX = 400, PROGRESS_FD = 3 };

static volatile sig_atomic_t stops; /* how often we were asked to stop */
static volatile sig_atomic_t idle; /* nothing is in our hands */

static void on_stop(int number)
{
	if (idle)
		_exit(EXIT_OK); /* the daemon gives nothing to a client that has gone */
	stops++;
}

struct running {
	const char *id;
	json_int_t fence;
	int out, err; /* memory files */
	int progress[2]; /* a pipe: lines "40 a message" */
	pid_t pid;
	int pidfd, status;
	bool lost; /* cancelled, or somebody else's: nobody waits for its outcome */
};

/* ── talking ── */

static int post(const char *id, const char *verb, json_t *body, struct reply *r)
{
	char path[128];
	scoped(mem_free_at) char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(body);
	snprintf(path, sizeof path, "/v1/claims%s%s%s%s", id ? "/" : "", id ? id : "", verb ? "/" : "", verb ? verb : "");
	return client_post_patiently(path, bytes_of(text), r);
}

static int ask(const struct args *a, json_t **claim)
{
	struct reply r;
	json_t *body = json_pack("{s:[s], s:s}", "capabilities", a->operands[0], "wait", "20s");
	static const char *const options[] = {"namespace", "lease", "client"};
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (arg_option(a, options[i]))
			json_object_set_new(body, options[i], json_string(arg_option(a, options[i])));
	idle = !stops;
	int code = post(NULL, NULL, body, &r);
	idle = false;
	if (code)
		return code;
	*claim = json_incref(json_array_get(json_object_get(r.json, "claims"), 0));
	reply_fini(&r);
	return EXIT_OK;
}

/* ── the command ── */

static bool write_all(int fd, const char *data, size_t size)
{
	for (ssize_t n; size; data += n, size -= (size_t)n)
		if ((n = write(fd, data, size)) < 0)
			return false;
	return true;
}

/* The input on a memory file: JSON as it stands, or the content of the blob that it names. */
static int open_input(const json_t *input)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	const char *blob = json_object_size(input) == 1 ? json_string_value(json_object_get(input, "blob")) : NULL;
	bool fine;
	if (blob) {
		struct reply r;
		scoped(mem_free_at) char *path = url_path("/v1/blobs/", blob, "");
		fine = client_get(path, &r) == EXIT_OK;
		if (fine) {
			fine = write_all(fd, r.body.data, r.body.size);
			reply_fini(&r);
		}
	} else {
		scoped(mem_free_at) char *text = json_dumps(input, JSON_COMPACT | JSON_ENCODE_ANY);
		fine = write_all(fd, text, strlen(text));
	}
	if (fine && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static _Noreturn void become(const struct args *a, const json_t *claim, const struct running *x, int input)
{
	char attempt[24];
	setpgid(0, 0);
	dup2(input, STDIN_FILENO);
	dup2(x->out, STDOUT_FILENO);
	dup2(x->err, STDERR_FILENO);
	dup2(x->progress[1], PROGRESS_FD);
	fcntl(PROGRESS_FD, F_SETFD, 0); /* it may have been that one already */
	snprintf(attempt, sizeof attempt, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(claim, "attempt")));
	setenv("REEVE_JOB_ID", x->id, 1);
	setenv("REEVE_ATTEMPT", attempt, 1);
	setenv("REEVE_CAPABILITY", json_text(claim, "capability"), 1);
	setenv("REEVE_PROGRESS_FD", "3", 1);
	execvp(a->operands[1], (char *const *)(a->operands + 1));
	dprintf(STDERR_FILENO, "%s: %s", a->operands[1], strerror(errno));
	_exit(127);
}

static bool start(const struct args *a, const json_t *claim, struct running *x)
{
	scoped(mem_close_at) int input = open_input(json_object_get(claim, "input"));
	x->out = memfd_create("stdout", MFD_CLOEXEC);
	x->err = memfd_create("stderr", MFD_CLOEXEC);
	if (input < 0 || x->out < 0 || x->err < 0 || pipe2(x->progress, O_CLOEXEC) < 0)
		return false;
	fcntl(x->progress[0], F_SETFL, O_NONBLOCK);
	x->pid = fork();
	if (x->pid == 0)
		become(a, claim, x, input);
	if (x->pid < 0)
		return false;
	setpgid(x->pid, x->pid);
	mem_close_at(&x->progress[1]);
	x->progress[1] = -1;
	x->pidfd = (int)syscall(SYS_pidfd_open, x->pid, 0);
	return true;
}

static bool ends_within(struct running *x, int ms)
{
	struct pollfd p = {.fd = x->pidfd, .events = POLLIN};
	return poll(&p, 1, ms) > 0;
}

static void end_group(struct running *x)
{
	kill(-x->pid, SIGTERM);
	if (!ends_within(x, GRACE_MS))
		kill(-x->pid, SIGKILL);
}

/* The last whole line that the command wrote since we looked; NULL: none that tells something. */
static json_t *read_progress(struct running *x)
{
	char text[4096], *message;
	json_t *last = NULL;
	ssize_t n = read(x->progress[0], text, sizeof text - 1);
	if (n <= 0)
		return NULL;
	text[n] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		long percent = strtol(line, &message, 10);
		if (message == line || percent < 0 || percent > 100)
			continue;
		json_decref(last);
		last = json_pack("{s:i, s:s}", "percent", (int)percent, "message", message + (*message == ' '));
	}
	return last;
}

static void beat(struct running *x)
{
	struct reply r;
	json_t *body = json_pack("{s:I}", "fence", x->fence), *progress = read_progress(x);
	if (progress)
		json_object_set_new(body, "progress", progress);
	if (post(x->id, "heartbeat", body, &r) != EXIT_OK) {
		x->lost = true;
		return;
	}
	x->lost = json_is_true(json_object_get(r.json, "cancelled"));
	reply_fini(&r);
}

static void wait_for_end(struct running *x, int beat_ms)
{
	while (!ends_within(x, beat_ms)) {
		if (stops < 2)
			beat(x);
		if (stops >= 2 || x->lost) {
			end_group(x);
			break;
		}
	}
	while (waitpid(x->pid, &x->status, 0) < 0 && errno == EINTR)
		;
	kill(-x->pid, SIGKILL); /* what it left running */
}

/* ── what came of it ── */

static struct bytes content(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	void *data = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	return data == MAP_FAILED ? (struct bytes){"", 0} : (struct bytes){data, (size_t)size};
}

static void unmap(struct bytes b)
{
	if (b.size)
		munmap((void *)b.data, b.size);
}

/* JSON as it stands; other text is a string, without its last line ends. NULL: it is not UTF-8. */
static json_t *result_of(struct bytes out)
{
	json_t *json = json_loadb(out.data, out.size, JSON_DECODE_ANY, NULL);
	while (!json && out.size && (out.data[out.size - 1] == '\n' || out.data[out.size - 1] == '\r'))
		out.size--;
	return json ? json : json_stringn(out.data, out.size);
}

static json_t *error_of(const struct running *x, struct bytes err)
{
	bool killed = WIFSIGNALED(x->status);
	int status = WEXITSTATUS(x->status);
	scoped(buf_fini) struct buf text = {0};
	size_t from = err.size > MESSAGE_MAX ? err.size - MESSAGE_MAX : 0;
	if (killed)
		buf_format(&text, "signal %d", WTERMSIG(x->status));
	else
		buf_format(&text, "exit %d", status);
	buf_text(&text, err.size ? ": " : "");
	for (size_t i = from; i < err.size; i++)
		buf_add(&text, (unsigned char)err.data[i] < 0x80 ? err.data + i : "?", 1);
	return json_pack("{s:s, s:s, s:b}", "code",
		killed					 ? "crashed"
		: status == RETRY_STATUS ? "try_again"
								 : "command_failed",
		"message", text.data, "retryable", killed || status == RETRY_STATUS);
}

/* A refusal is said; the job is not ours any more, and we go on to the next. */
static int tell(struct running *x)
{
	struct bytes out = content(x->out), err = content(x->err);
	json_t *result = x->status == 0 ? result_of(out) : NULL, *body = json_pack("{s:I}", "fence", x->fence);
	struct reply r;
	const char *verb = "complete";
	fwrite(err.data, 1, err.size, stderr);
	if (result) {
		json_object_set_new(body, "result", result);
	} else if (stops >= 2) {
		verb = "release";
	} else {
		verb = "fail";
		json_object_set_new(body, "error",
			x->status ? error_of(x, err)
					  : json_pack("{s:s, s:s, s:b}", "code", "invalid_result", "message",
							"what it printed is not UTF-8", "retryable", false));
	}
	int code = post(x->id, verb, body, &r);
	if (code == EXIT_OK)
		reply_fini(&r);
	unmap(out);
	unmap(err);
	return code == EXIT_UNREACHABLE ? code : EXIT_OK;
}

static int run_one(const struct args *a, const json_t *claim, int beat_ms)
{
	struct running x = {.id = json_text(claim, "job_id"),
		.fence = json_integer_value(json_object_get(claim, "fence")),
		.out = -1,
		.err = -1,
		.progress = {-1, -1},
		.pidfd = -1};
	int code = EXIT_OK;
	if (start(a, claim, &x)) {
		wait_for_end(&x, beat_ms);
		if (x.lost)
			complain(EXIT_OK, "job %s is not ours any more", x.id);
		else
			code = tell(&x);
	} else {
		struct reply r;
		code = complain(EXIT_FAILED, "job %s: cannot be begun: %m", x.id);
		if (post(x.id, "release", json_pack("{s:I}", "fence", x.fence), &r) == EXIT_OK)
			reply_fini(&r);
	}
	mem_close_at(&x.out);
	mem_close_at(&x.err);
	mem_close_at(&x.progress[0]);
	mem_close_at(&x.progress[1]);
	mem_close_at(&x.pidfd);
	return code;
}

int claim_run(const struct args *a)
{
	struct sigaction stop = {.sa_handler = on_stop};
	int64_t lease_ms = 30000;
	uint64_t jobs = UINT64_MAX;
	struct err e;
	if (arg_option(a, "lease") && units_duration(bytes_of(arg_option(a, "lease")), &lease_ms, &e) != E_OK)
		return complain(EXIT_USAGE, "--lease: %s", e.text);
	int code = input_number(a, "jobs", UINT64_MAX, &jobs);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	while (!code && !stops && jobs) {
		json_t *claim = NULL;
		code = ask(a, &claim);
		if (claim) {
			jobs--;
			code = run_one(a, claim, (int)(lease_ms / 3));
		}
		json_decref(claim);
	}
	return code;
}
