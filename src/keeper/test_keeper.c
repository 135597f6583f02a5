#include "keeper/test_keeper.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	return a;
}

static void pass(int socket, int fd)
{
	pid_t pid = getpid();
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec v = {&pid, sizeof pid};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (sendmsg(socket, &m, 0) < 0)
		_exit(1);
}

void test_keeper_be_engine(void)
{
	const char *fd = getenv(KEEPER_ENV_FD), *path = getenv("TEST_ENGINE_SOCKET");
	if (!fd || !path)
		return;
	int channel = atoi(fd), s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = address(path);
	if (connect(s, (struct sockaddr *)&a, sizeof a) < 0)
		_exit(1);
	pass(s, channel);
	for (;;) {
		struct pollfd both[] = {{s, POLLIN, 0}, {channel, 0, 0}};
		int how;
		if (poll(both, 2, -1) < 0 && errno == EINTR)
			continue;
		if (both[1].revents)
			_exit(1); /* the keeper is gone */
		if (read(s, &how, sizeof how) != sizeof how)
			_exit(1);
		if (how == TEST_KEEPER_LEAVES) { /* as an orderly engine: the channel first, then the rest */
			close(channel);
			how = read(s, &how, sizeof how) > 0 ? 0 : 1;
		}
		if (how < 0) {
			signal(-how, SIG_DFL); /* a sanitizer would make an exit of it */
			raise(-how);
		}
		_exit(how);
	}
}

void test_keeper_init(struct test_keeper *t)
{
	*t = (struct test_keeper){.channel = -1, .engine = -1};
	strcpy(t->data, "/tmp/reeve-keeper-XXXXXX");
	assert_non_null(mkdtemp(t->data));
	char path[96];
	snprintf(path, sizeof path, "%s/engine", t->data);
	struct sockaddr_un a = address(path);
	t->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(t->listener, 8), 0);
}

pid_t test_keeper_run(struct test_keeper *t, const char *reeved)
{
	char self[512] = "", path[96];
	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	snprintf(path, sizeof path, "%s/engine", t->data);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("REEVE_ENGINE", self, 1);
		setenv("TEST_ENGINE_SOCKET", path, 1);
		execl(reeved, reeved, "--data-dir", t->data, NULL);
		_exit(127);
	}
	return pid;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void test_keeper_accept(struct test_keeper *t)
{
	shut(&t->channel);
	shut(&t->engine);
	struct pollfd one = {t->listener, POLLIN, 0};
	assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
	t->engine = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = {&t->engine_pid, sizeof t->engine_pid};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	assert_int_equal(recvmsg(t->engine, &m, MSG_CMSG_CLOEXEC), sizeof t->engine_pid);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	memcpy(&t->channel, CMSG_DATA(c), sizeof t->channel);
}

void test_keeper_start(struct test_keeper *t, const char *reeved)
{
	t->pid = test_keeper_run(t, reeved);
	test_keeper_accept(t);
}

/* Our copy of the channel keeps it open after the engine's death, so it is closed with it. */
void test_keeper_end_engine(struct test_keeper *t, int how)
{
	assert_int_equal(write(t->engine, &how, sizeof how), sizeof how);
	shut(&t->channel);
}

int test_keeper_wait(struct test_keeper *t)
{
	int status;
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	t->pid = 0;
	return status;
}

void test_keeper_fini(struct test_keeper *t)
{
	for (int i = 0; t->pid > 0 && i < 3; i++) { /* the third one makes it end everything */
		kill(t->pid, SIGTERM);
		for (int tries = 0; tries < 50 && i < 2 && t->channel >= 0;
			 tries++) { /* signals of one kind merge: wait until each was taken */
			struct keeper_event e;
			struct pollfd one = {t->channel, POLLIN, 0};
			if (poll(&one, 1, 1000) != 1 || recv(t->channel, &e, sizeof e, 0) <= 0)
				break;
			if (e.head.type == KEEPER_STOP)
				break;
		}
	}
	if (t->pid > 0)
		test_keeper_wait(t);
	shut(&t->channel);
	shut(&t->engine);
	shut(&t->listener);
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", t->data);
	assert_int_equal(system(command), 0);
}

void test_keeper_send(struct test_keeper *t, const void *message, size_t size)
{
	assert_int_equal(send(t->channel, message, size, MSG_NOSIGNAL), size);
}

void test_keeper_spawn(struct test_keeper *t, uint32_t slot, const char *instance, const char *script, const char *out)
{
	static uint64_t message[KEEPER_MESSAGE_MAX / 8];
	char mark[128];
	snprintf(mark, sizeof mark, KEEPER_ENV_INSTANCE "=%s", instance);
	const char *argv[] = {"sh", "-c", script, NULL}, *env[] = {"PATH=/usr/bin:/bin", mark, NULL};
	struct keeper_order o = {
		.slot = slot, .instance = instance, .directory = "/", .out = out, .err = out, .argv = argv, .env = env};
	test_keeper_send(t, message, keeper_spawn_encode(&o, message));
}

void test_keeper_order(struct test_keeper *t, uint32_t slot, uint32_t type)
{
	struct keeper_head h = {type, slot};
	test_keeper_send(t, &h, sizeof h);
}

void test_keeper_signal(struct test_keeper *t, uint32_t slot, int signal, uint32_t group)
{
	struct keeper_signal s = {{KEEPER_SIGNAL, slot}, signal, group};
	test_keeper_send(t, &s, sizeof s);
}

struct keeper_event test_keeper_event(struct test_keeper *t, uint32_t type)
{
	struct keeper_event e = {0};
	struct pollfd one = {t->channel, POLLIN, 0};
	assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(t->channel, &e, sizeof e, 0), sizeof e);
	assert_int_equal(e.head.type, type);
	return e;
}
