/* fuzz_session.c - a worker gone mad: any frames after a good HELLO, against the engine's session with deliveries in it.
 *
 * Each delivery must end exactly once, whatever is said about it, at the latest when the session is closed. */
#include "base/mem.h"
#include "link/session.h"
#include "loop/loop.h"
#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DELIVERIES = 4 };

static struct link_worker *w;
static struct instance instance;
static struct delivery d[DELIVERIES];
static int ends[DELIVERIES];

static void end(struct delivery *x)
{
	if (++ends[x - d] > 1)
		abort();
}

static void on_simple(struct delivery *x)
{
}

static void on_item(struct delivery *x, uint64_t key, struct bytes data)
{
	link_worker_item_done(w, x, E_OK);
}

static void on_bytes(struct delivery *x, struct bytes data)
{
}

static void on_progress(struct delivery *x, int percent, struct bytes message)
{
	if (percent < 0 || percent > 100)
		abort();
}

static void on_log(struct delivery *x, int severity, struct bytes event, struct bytes fields)
{
}

static void on_call(struct delivery *x, uint64_t call, struct bytes capability, struct bytes input)
{
	link_worker_call_done(w, x, call, input, NULL);
}

static void on_finished(struct delivery *x, struct bytes result, const struct job_error *error)
{
	end(x);
	link_worker_settled(w, x->id, x->fence);
}

static void on_lost(struct delivery *x, const struct job_error *error)
{
	end(x);
}

static const struct delivery_events events = {
	on_simple, on_item, on_bytes, on_progress, on_log, on_call, on_finished, on_lost};

static enum errcode on_hello(void *context, const struct link_hello *hello, struct err *e)
{
	link_capabilities_free(instance.capabilities, instance.capability_n);
	instance.capabilities = link_capabilities_copy(hello->capabilities, hello->capability_n);
	instance.capability_n = hello->capability_n;
	return E_OK;
}

static void on_ready(void *context)
{
	for (int i = 0; i < DELIVERIES; i++) {
		d[i] =
			(struct delivery){.id = (uint64_t)i + 1, .fence = 1, .attempt = 1, .input = {"{}", 2}, .events = &events};
		ends[i] = 0;
		link_worker_deliver(w, &d[i]);
	}
	link_worker_cancel(w, &d[1]);
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		abort();
	return fd;
}

static void put(int fd, uint8_t type, const void *data, size_t size)
{
	char head[FRAME_HEADER];
	frame_put(head, &(struct frame){.size = (uint32_t)size, .type = type});
	if (write(fd, head, sizeof head) < 0 || write(fd, data, size) < 0)
		return;
}

static void turn(struct loop *loop, int n)
{
	for (int i = 0; i < n; i++)
		uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "{\"token\":\"0123456789abcdef\",\"ready\":true,\"capabilities\":[{\"name\":\"a\"}]}";
	static const struct job_error gone = {"gone", "gone", 1};
	static struct loop *loop;
	static char path[64];
	struct link_worker_options o = {.path = path, .token = "0123456789abcdef", .listen_fd = -1};
	struct link_worker_events e = {.hello = on_hello, .ready = on_ready};
	char preface[FRAME_PREFACE];
	int fd, started = 0;

	if (!loop) {
		loop = loop_new();
		snprintf(path, sizeof path, "/tmp/reeve-fuzz-%d", (int)getpid());
	}
	list_init(&instance.deliveries);
	memset(ends, 0, sizeof ends);
	memset(d, 0, sizeof d);
	if (link_worker_open(loop, &instance, &o, &e, &w, NULL) != E_OK)
		abort();
	fd = connect_to(path);
	frame_put_preface(preface, 0);
	if (write(fd, preface, sizeof preface) < 0)
		abort();
	put(fd, FRAME_HELLO, hello, sizeof hello - 1);
	turn(loop, 3);
	started = d[0].id != 0;
	if (write(fd, data, size) > 0)
		turn(loop, 4);
	close(fd);
	turn(loop, 2);
	link_worker_close(w, &gone);
	turn(loop, 2);
	for (int i = 0; i < DELIVERIES; i++)
		if (ends[i] != started)
			abort();
	return 0;
}
