/* What clients of the link change: one job, dead letter or queue, as the HTTP API has it. Answered when it is durable. */
#include "daemon/daemon.h"

#include "wire/message.h"

static void changed(void *context, enum errcode code)
{
	struct link_request *r = context;
	struct err e;
	if (code) {
		err_set(&e, code, "the change could not be stored: %s", err_word(code));
		link_refused(r, &e);
	} else {
		link_controlled(r);
	}
}

static struct bytes bytes_at(struct span s)
{
	return (struct bytes){s.data, s.size};
}

static enum errcode move_job(
	struct daemon *d, struct link_request *r, const struct message_control *what, struct err *e)
{
	struct job_move to = {
		.priority = what->priority, .namespace = bytes_at(what->namespace), .capability = bytes_at(what->capability)};
	return job_change_move(&d->api, what->job, &to, changed, r, e);
}

/* A queue may be paused before its first job. */
static enum errcode pause_queue(
	struct daemon *d, struct link_request *r, const struct message_control *what, struct err *e)
{
	struct bytes namespace = what->namespace.size ? bytes_at(what->namespace) : bytes_of("default");
	struct queue *q;
	enum errcode code = queues_open(d->queues, namespace, bytes_at(what->capability), &q, e);
	if (!code)
		queue_pause(q, what->operation == MESSAGE_PAUSE, changed, r);
	return code;
}

static enum errcode change(struct daemon *d, struct link_request *r, const struct message_control *what, struct err *e)
{
	switch (what->operation) {
	case MESSAGE_CANCEL:
		return job_change_cancel(&d->api, what->job, changed, r, e);
	case MESSAGE_MOVE:
		return move_job(d, r, what, e);
	case MESSAGE_REPLAY:
		return queue_replay(d->queues, what->job, clock_now(d), changed, r, e);
	case MESSAGE_PURGE:
		return queue_purge(d->queues, what->job, changed, r, e);
	case MESSAGE_PAUSE:
	case MESSAGE_RESUME:
		return pause_queue(d, r, what, e);
	default:
		return err_set(e, E_INVALID, "operation %d of a CONTROL is not known; they are 1 to 6", what->operation);
	}
}

void client_control(void *context, struct link_request *r, const struct message_control *what)
{
	struct err e;
	if (change(context, r, what, &e) != E_OK)
		link_refused(r, &e);
}
