/* test_worker.c - a worker for tests: speaks the link with wire/ alone, and does with each job what its input says. */
#include "process/test_worker.h"

#include "wire/message.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct stream_in in;
static struct stream_out out;
static int fd = -1;
static struct message_job held;
static uint64_t held_id;
static bool started;
static const char *habit;
static bool ready;

static void *resize(void *old, size_t size)
{
	if (size)
		return realloc(old, size);
	free(old);
	return NULL;
}

static void flush(void)
{
	const char *data;
	int files[FRAME_DESCRIPTORS_MAX], n;
	size_t size;
	while ((size = stream_out_next(&out, &data, files, &n))) {
		ssize_t wrote = write(fd, data, size);
		if (wrote <=
			0) { /* an engine that is going accepted us last: reading sees the end, and another is looked for */
			shutdown(fd, SHUT_RDWR);
			return;
		}
		stream_out_wrote(&out, (size_t)wrote, n);
	}
}

static void put_text(uint8_t type, const char *text)
{
	struct stream_part part = {text, strlen(text)};
	stream_out_put(&out, type, 0, 0, &part, *text != 0, NULL, 0);
	flush();
}

static void put(uint8_t type, uint64_t id, const struct message_out *m)
{
	stream_out_put(&out, type, 0, id, m->parts, m->n, NULL, 0);
	flush();
}

static void put_fence(uint8_t type, uint64_t id, uint64_t fence)
{
	struct message_out m;
	message_put_simple(&m, &(struct message_simple){.fence = fence});
	put(type, id, &m);
}

static void finish(uint64_t id, uint64_t fence)
{
	struct message_out m;
	message_put_result(&m,
		&(struct message_result){.fence = fence, .form = MESSAGE_INLINE, .result_size = 6, .result = {"\"done\"", 6}});
	put(FRAME_RESULT, id, &m);
	held_id = 0;
}

static void hello(void)
{
	char token[128] = "", text[600], jobs[120] = "";
	FILE *f = fopen(getenv("REEVE_TOKEN_FILE"), "r");
	if (!f || !fgets(token, sizeof token, f))
		_exit(91);
	fclose(f);
	if (held_id)
		snprintf(jobs, sizeof jobs, "{\"id\":\"%llu\",\"fence\":\"%llu\",\"started\":%s}", (unsigned long long)held_id,
			(unsigned long long)held.fence, started ? "true" : "false");
	snprintf(text, sizeof text,
		"{\"name\":\"t\",\"version\":\"1.0.0\",\"token\":\"%s\",\"pid\":%d,\"ready\":%s,\"held\":[%s],"
		"\"capabilities\":[{\"name\":\"test.do\",\"version\":\"1.0.0\",\"mode\":\"batch\",\"flags\":0}]}",
		token, getpid(), ready ? "true" : "false", jobs);
	stream_out_preface(&out, 0);
	put_text(FRAME_HELLO, text);
}

static void link_up(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof a.sun_path, "%s", getenv("REEVE_LINK"));
	for (;;) { /* the next engine's socket may not be there yet */
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
			break;
		close(fd);
		usleep(5000);
	}
	in = (struct stream_in){.resize = resize};
	out = (struct stream_out){.resize = resize};
	hello();
}

static void job(const struct wire_message *m)
{
	struct message_job j;
	struct message_out unhealthy;
	if (!message_get_job(m, &j))
		_exit(92);
	held_id = m->id;
	held = j;
	started = j.input.size != 7 || memcmp(j.input.data, "\"later\"", 7) != 0;
	if (!started) { /* that it is here is said by other means */
		message_put_simple(&unhealthy, &(struct message_simple){.number = 0});
		put(FRAME_PONG, 0, &unhealthy);
		return;
	}
	put_fence(FRAME_STARTED, m->id, j.fence);
	if (j.input.size == 4 && memcmp(j.input.data, "\"ok\"", 4) == 0) {
		finish(m->id, j.fence);
	} else if (j.input.size == 7 && memcmp(j.input.data, "\"crash\"", 7) == 0) {
		fprintf(stderr, "first\nabout to fall over\n");
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	} /* else it is held until DRAIN */
}

static void message(const struct wire_message *m)
{
	struct message_out pong;
	if (m->type == FRAME_WELCOME) {
		if (strcmp(habit, "slow") != 0 && !ready)
			put_text(FRAME_READY, "");
		ready = true; /* HELLO says so from now on */
	} else if (m->type == FRAME_JOB) {
		job(m);
	} else if (m->type == FRAME_PING) {
		message_put_simple(&pong, &(struct message_simple){.number = 1});
		put(FRAME_PONG, 0, &pong);
	} else if (m->type == FRAME_DRAIN && strcmp(habit, "stubborn") != 0) {
		if (held_id)
			finish(held_id, held.fence);
		put_text(FRAME_BYE, "");
		_exit(0);
	}
}

/* False: the connection has ended. */
static bool turn(void)
{
	size_t room;
	struct wire_message m;
	const char *why;
	char *at = stream_in_space(&in, &room);
	ssize_t n = read(fd, at, room);
	if (n <= 0)
		return false;
	stream_in_got(&in, (size_t)n, NULL, 0);
	while (stream_in_next(&in, &m, &why) > 0)
		message(&m);
	return true;
}

void test_worker_be(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "worker") != 0)
		return;
	habit = argv[2];
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(habit, "die") == 0) {
		fprintf(stderr, "no such configuration\n");
		exit(3);
	}
	if (strcmp(habit, "stubborn") == 0) {
		signal(SIGTERM, SIG_IGN);
		if (fork() == 0) { /* a grandchild that hides */
			setsid();
			execl("/bin/sleep", "sleep", "1000", NULL);
		}
	}
	for (;;) {
		link_up();
		while (turn())
			;
		close(fd);
	}
}
