#include "command.h"

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct run { /* one command under way */
	struct reeve_job *job;
	struct run *next; /* of all that run */
	const struct command *command;
	char mark[64];
	pid_t pid;
	int pidfd, wake, in, out[2], err[2], progress[2];
	char *output; /* COMMAND_OUTPUT_MAX + 1 */
	size_t output_n;
	bool output_too_long;
	char last[COMMAND_MESSAGE_MAX + 1]; /* of stderr */
	size_t last_n;
	char line[COMMAND_MESSAGE_MAX]; /* of progress, as far as it has come */
	size_t line_n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct run *running; /* so that cancel finds whom to wake */

extern char **environ;

static void enlist(struct run *r)
{
	pthread_mutex_lock(&lock);
	r->next = running;
	running = r;
	pthread_mutex_unlock(&lock);
}

static void delist(struct run *r)
{
	pthread_mutex_lock(&lock);
	for (struct run **at = &running; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	pthread_mutex_unlock(&lock);
}

void command_cancel(struct reeve_job *job)
{
	pthread_mutex_lock(&lock);
	for (struct run *r = running; r; r = r->next)
		if (r->job == job)
			eventfd_write(r->wake, 1);
	pthread_mutex_unlock(&lock);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ── start ── */

static char *entry(const char *name, const char *value)
{
	char *text = NULL;
	return asprintf(&text, "%s=%s", name, value ? value : "") < 0 ? NULL : text;
}

/* Ours without the key to our link, and with what the command may want to know. NULL: no memory. */
static char **environment(const struct run *r)
{
	static const char *const hidden[] = {"REEVE_LINK=", "REEVE_TOKEN=", "REEVE_TOKEN_FILE=", "REEVE_EXEC_FILE=",
		"REEVE_JOB_ID=", "REEVE_ATTEMPT=", "REEVE_CAPABILITY=", "REEVE_SCRATCH=", "REEVE_PROGRESS_FD=", "TRACEPARENT="};
	char attempt[16];
	size_t n = 0, kept = 0;
	while (environ[n])
		n++;
	char **all = calloc(n + 8, sizeof *all);
	if (!all)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool hide = false;
		for (size_t h = 0; h < sizeof hidden / sizeof *hidden; h++)
			hide |= strncmp(environ[i], hidden[h], strlen(hidden[h])) == 0;
		if (!hide)
			all[kept++] = strdup(environ[i]);
	}
	snprintf(attempt, sizeof attempt, "%d", reeve_attempt(r->job));
	all[kept++] = entry("REEVE_JOB_ID", reeve_job_id(r->job));
	all[kept++] = entry("REEVE_ATTEMPT", attempt);
	all[kept++] = entry("REEVE_CAPABILITY", r->command->capability);
	all[kept++] = entry("REEVE_SCRATCH", reeve_scratch(r->job));
	all[kept++] = strdup("REEVE_PROGRESS_FD=3");
	if (*reeve_traceparent(r->job))
		all[kept++] = entry("TRACEPARENT", reeve_traceparent(r->job));
	all[kept] = strdup(r->mark);
	return all;
}

static int spawn(struct run *r, char **env)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, r->in, 0);
	posix_spawn_file_actions_adddup2(&actions, r->out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, r->err[1], 2);
	posix_spawn_file_actions_adddup2(&actions, r->progress[1], 3);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int bad = posix_spawnp(&r->pid, r->command->argv[0], &actions, &attributes, r->command->argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return bad;
}

static int start(struct run *r)
{
	static atomic_uint number;
	snprintf(r->mark, sizeof r->mark, "REEVE_COMMAND=%d-%u", (int)getpid(), atomic_fetch_add(&number, 1));
	r->in = reeve_input_open(r->job);
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->output = malloc(COMMAND_OUTPUT_MAX + 1);
	if (r->in < 0)
		return EIO;
	if (r->wake < 0 || !r->output || pipe2(r->out, O_CLOEXEC) < 0 || pipe2(r->err, O_CLOEXEC) < 0 ||
		pipe2(r->progress, O_CLOEXEC) < 0)
		return errno ? errno : ENOMEM;
	fcntl(r->out[0], F_SETFL, O_NONBLOCK);
	fcntl(r->err[0], F_SETFL, O_NONBLOCK);
	fcntl(r->progress[0], F_SETFL, O_NONBLOCK);
	char **env = environment(r);
	int bad = env ? spawn(r, env) : ENOMEM;
	for (char **e = env; e && *e; e++)
		free(*e);
	free(env);
	shut(&r->out[1]);
	shut(&r->err[1]);
	shut(&r->progress[1]);
	if (bad == 0)
		r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	return bad;
}

/* ── while it runs ── */

static void take_output(struct run *r)
{
	char spill[4096];
	for (;;) {
		size_t room = COMMAND_OUTPUT_MAX + 1 - r->output_n;
		ssize_t n = room ? read(r->out[0], r->output + r->output_n, room) : read(r->out[0], spill, sizeof spill);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			shut(&r->out[0]);
		if (n <= 0)
			return;
		if (room)
			r->output_n += (size_t)n;
		r->output_too_long = r->output_n > COMMAND_OUTPUT_MAX;
	}
}

static void keep_last(struct run *r, const char *text, size_t n)
{
	if (n > COMMAND_MESSAGE_MAX) {
		text += n - COMMAND_MESSAGE_MAX;
		n = COMMAND_MESSAGE_MAX;
	}
	size_t drop = r->last_n + n > COMMAND_MESSAGE_MAX ? r->last_n + n - COMMAND_MESSAGE_MAX : 0;
	memmove(r->last, r->last + drop, r->last_n - drop);
	memcpy(r->last + r->last_n - drop, text, n);
	r->last_n += n - drop;
	r->last[r->last_n] = 0;
}

/* It is our own stderr, too: so it stands in the worker's log. */
static void take_errors(struct run *r)
{
	char text[4096];
	for (;;) {
		ssize_t n = read(r->err[0], text, sizeof text);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			shut(&r->err[0]);
		if (n <= 0)
			return;
		keep_last(r, text, (size_t)n);
		fwrite(text, 1, (size_t)n, stderr);
	}
}

/* "40 a message": a number from 0 to 100, and what may stand behind it. Other lines are skipped. */
static void tell_progress(struct run *r)
{
	char *message;
	r->line[r->line_n] = 0;
	long percent = strtol(r->line, &message, 10);
	if (message > r->line && percent >= 0 && percent <= 100)
		reeve_progress(r->job, (int)percent, message + (*message == ' '));
	r->line_n = 0;
}

static void take_progress(struct run *r)
{
	char text[512];
	for (;;) {
		ssize_t n = read(r->progress[0], text, sizeof text);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			shut(&r->progress[0]);
		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			if (text[i] == '\n')
				tell_progress(r);
			else if (r->line_n < sizeof r->line - 1)
				r->line[r->line_n++] = text[i];
	}
}

/* Until it exits. False: it has to be ended. */
static bool watch(struct run *r)
{
	for (;;) {
		struct pollfd all[] = {{r->pidfd, POLLIN, 0}, {r->wake, POLLIN, 0}, {r->out[0], POLLIN, 0},
			{r->err[0], POLLIN, 0}, {r->progress[0], POLLIN, 0}};
		int64_t left = reeve_remaining_ms(r->job);
		if (reeve_cancelled(r->job) || left <= 0)
			return false;
		if (poll(all, 5, left > 3600000 ? 3600000 : (int)left) < 0 && errno != EINTR)
			return false;
		if (r->out[0] >= 0)
			take_output(r);
		if (r->err[0] >= 0)
			take_errors(r);
		if (r->progress[0] >= 0)
			take_progress(r);
		if (all[0].revents)
			return true;
	}
}

/* ── the end ── */

static void clean_message(struct run *r)
{
	while (r->last_n && (r->last[r->last_n - 1] == '\n' || r->last[r->last_n - 1] == ' '))
		r->last[--r->last_n] = 0;
	for (size_t i = 0; i < r->last_n; i++)
		if ((unsigned char)r->last[i] >= 0x7f || ((unsigned char)r->last[i] < 0x20 && r->last[i] != '\n'))
			r->last[i] = '?'; /* a message is text; the log has it as it was */
}

static int fail(struct run *r, const char *code, int retryable, const char *what, int outcome)
{
	char message[COMMAND_MESSAGE_MAX + 100];
	clean_message(r);
	snprintf(message, sizeof message, "%s%s%s", what, r->last_n ? ": " : "", r->last);
	reeve_fail(r->job, code, retryable, message);
	return outcome;
}

static int reply_text(struct run *r)
{
	size_t n = r->output_n;
	json_t *value = json_loadb(r->output, n, JSON_DECODE_ANY, NULL);
	if (value) {
		json_decref(value);
		return reeve_reply(r->job, r->output, n);
	}
	while (n && r->output[n - 1] == '\n')
		n--;
	value = json_stringn(r->output, n);
	if (!value)
		return fail(r, "not_text", 0, "the output is neither JSON nor UTF-8 text; say binary: true if that is meant",
			REEVE_E_INVALID);
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	json_decref(value);
	int code = text ? reeve_reply(r->job, text, strlen(text)) : REEVE_E_NO_MEMORY;
	free(text);
	return code;
}

static int judge(struct run *r, int status)
{
	char what[96];
	if (WIFSIGNALED(status)) {
		snprintf(what, sizeof what, "the command was ended by signal %d (SIG%s)", WTERMSIG(status),
			sigabbrev_np(WTERMSIG(status)));
		return fail(r, "crashed", 1, what, REEVE_E_INTERNAL);
	}
	snprintf(what, sizeof what, "the command exited with status %d", WEXITSTATUS(status));
	if (WEXITSTATUS(status) == 75)
		return fail(r, "try_again", 1, what, REEVE_E_AGAIN);
	if (WEXITSTATUS(status) != 0)
		return fail(r, "command_failed", 0, what, REEVE_E_INTERNAL);
	if (r->output_too_long) {
		snprintf(what, sizeof what, "the command printed more than %d bytes", COMMAND_OUTPUT_MAX);
		return fail(r, "output_too_large", 0, what, REEVE_E_TOO_LARGE);
	}
	return r->command->binary ? reeve_reply(r->job, r->output, r->output_n) : reply_text(r);
}

static int run(struct run *r)
{
	int bad = start(r), status = 0;
	char what[512];
	if (bad) {
		snprintf(what, sizeof what, "%.200s: %s", r->command->argv[0], strerror(bad));
		return fail(r, "not_started", bad == EAGAIN || bad == ENOMEM, what, REEVE_E_INTERNAL);
	}
	bool ended = watch(r);
	if (ended)
		kill(-r->pid, SIGKILL); /* not reaped yet, so the number is still its own: whom it left behind goes with it */
	else
		tree_end(r->pid, r->mark);
	waitpid(r->pid, &status, 0);
	return ended ? judge(r, status) : REEVE_E_CANCELLED;
}

int command_run(const struct command *c, struct reeve_job *job)
{
	struct run r = {.command = c,
		.job = job,
		.pidfd = -1,
		.wake = -1,
		.in = -1,
		.out = {-1, -1},
		.err = {-1, -1},
		.progress = {-1, -1}};
	errno = 0;
	enlist(&r);
	int code = run(&r);
	delist(&r);
	int *fds[] = {&r.pidfd, &r.wake, &r.in, &r.out[0], &r.out[1], &r.err[0], &r.err[1], &r.progress[0], &r.progress[1]};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		shut(fds[i]);
	free(r.output);
	return code;
}
