/* Callbacks: from the configuration to the sender, and who hears of what became of them. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "base/random.h"
#include "wire/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void on_send(void *context, struct callback_request *r)
{
	struct daemon *d = context;
	sender_send(d->sender, r);
}

static void on_sent(void *context, struct callback_request *r)
{
	struct daemon *d = context;
	callback_sent(d->callbacks, r, clock_now(d));
}

static void on_told(void *context, const struct callback_view *v, enum callback_news news)
{
	struct daemon *d = context;
	char id[ID_TEXT_SIZE], job[ID_TEXT_SIZE];
	id_format(v->id, id);
	id_format(v->job_id ? v->job_id : v->batch_id, job);
	if (news == CALLBACK_FAILED)
		log_write(LOG_LEVEL_WARNING, "callback_failed", "callback=%s of=%s attempts=%d status=%d error=\"%.*s\"", id,
			job, v->attempts, v->last_status, (int)v->error.size, v->error.data);
	api_callback_told(&d->api, v, news);
}

/* Its end of line is the editor's, not the secret's. */
static enum errcode read_secret(const char *path, struct buf *out, struct err *e)
{
	scoped(mem_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *to = buf_reserve(out, SENDER_SECRET_MAX + 1);
	ssize_t n = fd < 0 ? -1 : read(fd, to, SENDER_SECRET_MAX + 1);
	if (n < 0)
		return err_errno(e, errno, "callbacks.secret_file %s", path);
	if (n > SENDER_SECRET_MAX)
		return err_set(e, E_TOO_LARGE, "callbacks.secret_file %s: has more than %d bytes", path, SENDER_SECRET_MAX);
	while (n > 0 && (to[n - 1] == '\n' || to[n - 1] == '\r'))
		n--;
	if (n == 0)
		return err_set(e, E_INVALID, "callbacks.secret_file %s: is empty", path);
	out->size = (size_t)n;
	return E_OK;
}

enum errcode callbacks_open(struct daemon *d, struct err *e)
{
	const struct callback_settings *s = &d->settings->callbacks;
	scoped(buf_fini) struct buf secret = {0};
	struct callbacks_options options = {
		.store = d->store, .queues = d->queues, .limits = s->limits, .context = d, .send = on_send, .told = on_told};
	enum errcode code = s->secret_file ? read_secret(s->secret_file, &secret, e) : E_OK;
	if (code)
		return code;
	struct sender_options sending = {.loop = d->loop,
		.allow = s->allow,
		.secret = buf_bytes(&secret),
		.ca_file = s->ca_file,
		.timeout_ms = s->timeout_ms,
		.connections = s->limits.in_flight,
		.context = d,
		.sent = on_sent};
	random_fill(&options.random_seed, sizeof options.random_seed);
	d->callbacks = callbacks_new(&options);
	d->sender = sender_new(&sending);
	return E_OK;
}
