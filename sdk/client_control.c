/* One job, dead letter or queue is changed: one CONTROL, answered when it is durable. */
#include "client.h"
#include "spec.h"

enum { NAME_MAX_BYTES = 128, PRIORITY_MAX = 9 };

static int control(struct reeve_client *c, const struct message_control *what)
{
	struct message_out out;
	struct wire_message m;
	int rc;

	if (what->namespace.size > NAME_MAX_BYTES || what->capability.size > NAME_MAX_BYTES)
		return client_refuse(
			c, REEVE_E_INVALID, "the name of a capability or namespace has at most %d bytes", NAME_MAX_BYTES);
	message_put_control(&out, what);
	rc = io_put(&c->out, FRAME_CONTROL, c->tickets += 2, &out, NULL, 0) ? client_ask(c, c->tickets, -1, &m)
																		: client_refuse_memory(c);
	return rc == REEVE_OK && m.type != FRAME_CONTROLLED ? client_take_other(c, &m) : rc;
}

static int control_job(struct reeve_client *c, const char *id, struct message_control what)
{
	int rc = client_begin(c);

	if (rc == REEVE_OK)
		rc = client_job_id(c, id, &what.job);
	return rc == REEVE_OK ? control(c, &what) : rc;
}

static int control_queue(
	struct reeve_client *c, enum message_operation operation, const char *capability, const char *namespace_)
{
	int rc = client_begin(c);

	if (rc != REEVE_OK)
		return rc;
	return control(c, &(struct message_control){.operation = (uint8_t)operation,
						  .priority = -1,
						  .capability = span_of(capability),
						  .namespace = span_of(namespace_)});
}

REEVE_PUBLIC int reeve_client_cancel(struct reeve_client *c, const char *id)
{
	return control_job(c, id, (struct message_control){.operation = MESSAGE_CANCEL, .priority = -1});
}

REEVE_PUBLIC int reeve_client_move(
	struct reeve_client *c, const char *id, const char *capability, const char *namespace_, int priority)
{
	int rc = client_begin(c);

	if (rc == REEVE_OK && (priority < -1 || priority > PRIORITY_MAX)) /* it has one byte on the wire */
		rc = client_refuse(c, REEVE_E_INVALID, "priority %d; it is 0 to %d, or -1 to leave it", priority, PRIORITY_MAX);
	return rc == REEVE_OK ? control_job(c, id,
								(struct message_control){.operation = MESSAGE_MOVE,
									.priority = (int8_t)priority,
									.capability = span_of(capability),
									.namespace = span_of(namespace_)})
						  : rc;
}

REEVE_PUBLIC int reeve_client_replay(struct reeve_client *c, const char *id)
{
	return control_job(c, id, (struct message_control){.operation = MESSAGE_REPLAY, .priority = -1});
}

REEVE_PUBLIC int reeve_client_purge(struct reeve_client *c, const char *id)
{
	return control_job(c, id, (struct message_control){.operation = MESSAGE_PURGE, .priority = -1});
}

REEVE_PUBLIC int reeve_client_pause(struct reeve_client *c, const char *capability, const char *namespace_)
{
	return control_queue(c, MESSAGE_PAUSE, capability, namespace_);
}

REEVE_PUBLIC int reeve_client_resume(struct reeve_client *c, const char *capability, const char *namespace_)
{
	return control_queue(c, MESSAGE_RESUME, capability, namespace_);
}
