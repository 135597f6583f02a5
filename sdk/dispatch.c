/* dispatch.c - the functions of worker.h: check what every host would have to check, then call through the host's table. */
#include "files.h"
#include "wire/host.h"

#include <stdio.h>
#include <unistd.h>

/* A member that an older host does not have, or has not filled, is "this host cannot". */
#define HAS(object, member)                                                                                            \
	((object) && (object)->ops->size >= offsetof(struct reeve_host_ops, member) + sizeof((object)->ops->member) &&     \
		(object)->ops->member)
#define CALL(object, member, otherwise, ...)                                                                           \
	(HAS(object, member) ? (object)->ops->member(object, ##__VA_ARGS__) : (otherwise))

static const struct reeve_bytes nothing;

REEVE_PUBLIC struct reeve_bytes reeve_config(const struct reeve_instance *self)
{
	return CALL(self, config, nothing);
}

REEVE_PUBLIC const char *reeve_instance_id(const struct reeve_instance *self)
{
	return CALL(self, instance_id, "");
}

REEVE_PUBLIC void reeve_log(const struct reeve_instance *self, int severity, const char *event, const char *fields)
{
	if (HAS(self, log) && event)
		self->ops->log(self, severity, event, fields);
}

REEVE_PUBLIC int reeve_announce(
	struct reeve_instance *self, const char *name, const char *type, const char *address, const char *metadata)
{
	if (!name || !type || !address)
		return REEVE_E_INVALID;
	return CALL(self, announce, REEVE_E_STATE, name, type, address, metadata);
}

REEVE_PUBLIC const char *reeve_job_id(const struct reeve_job *job)
{
	return CALL(job, job_id, "");
}

REEVE_PUBLIC uint64_t reeve_fence(const struct reeve_job *job)
{
	return CALL(job, fence, 0);
}

REEVE_PUBLIC int reeve_attempt(const struct reeve_job *job)
{
	return CALL(job, attempt, 0);
}

REEVE_PUBLIC const char *reeve_traceparent(const struct reeve_job *job)
{
	return CALL(job, traceparent, "");
}

REEVE_PUBLIC int64_t reeve_remaining_ms(const struct reeve_job *job)
{
	return CALL(job, remaining_ms, INT64_MAX);
}

REEVE_PUBLIC int reeve_cancelled(const struct reeve_job *job)
{
	return CALL(job, cancelled, 1);
}

REEVE_PUBLIC struct reeve_bytes reeve_input(const struct reeve_job *job)
{
	return CALL(job, input, nothing);
}

REEVE_PUBLIC int reeve_input_open(struct reeve_job *job)
{
	return CALL(job, input_open, REEVE_E_STATE);
}

REEVE_PUBLIC int reeve_reply(struct reeve_job *job, const void *data, size_t size)
{
	if (!data && size)
		return REEVE_E_INVALID;
	return CALL(job, reply, REEVE_E_STATE, data, size);
}

REEVE_PUBLIC int reeve_reply_file(struct reeve_job *job, int fd)
{
	return CALL(job, reply_file, REEVE_E_STATE, fd);
}

REEVE_PUBLIC int reeve_fail(struct reeve_job *job, const char *code, int retryable, const char *message)
{
	return CALL(job, fail, REEVE_E_STATE, code ? code : "", retryable, message ? message : "");
}

REEVE_PUBLIC int reeve_blob(struct reeve_job *job, int fd, char *name, size_t size)
{
	if (!name || !size)
		return REEVE_E_INVALID;
	return CALL(job, blob, REEVE_E_STATE, fd, name, size);
}

REEVE_PUBLIC const char *reeve_scratch(struct reeve_job *job)
{
	return CALL(job, scratch, NULL);
}

REEVE_PUBLIC int reeve_progress(struct reeve_job *job, int percent, const char *message)
{
	int within = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	return CALL(job, progress, REEVE_E_STATE, within, message);
}

/* An item that is too large for a row is {"blob":"sha256:..."}, as a result is. */
static int emit_blob(struct reeve_job *job, uint64_t key, const void *data, size_t size)
{
	char name[80], item[96];
	int fd = files_memory("reeve-item", data, size);
	int rc = fd < 0 ? REEVE_E_NO_MEMORY : reeve_blob(job, fd, name, sizeof name);
	if (fd >= 0)
		close(fd);
	if (rc != REEVE_OK)
		return rc;
	int n = snprintf(item, sizeof item, "{\"blob\":\"%s\"}", name);
	return CALL(job, emit, REEVE_E_STATE, key, item, (size_t)n);
}

REEVE_PUBLIC int reeve_emit(struct reeve_job *job, uint64_t key, const void *data, size_t size)
{
	if (!data && size)
		return REEVE_E_INVALID;
	return size > HOST_ITEM_MAX ? emit_blob(job, key, data, size) : CALL(job, emit, REEVE_E_STATE, key, data, size);
}

REEVE_PUBLIC int reeve_checkpoint(struct reeve_job *job, const void *data, size_t size)
{
	if (!data && size)
		return REEVE_E_INVALID;
	return CALL(job, checkpoint, REEVE_E_STATE, data, size);
}

REEVE_PUBLIC struct reeve_bytes reeve_resume(const struct reeve_job *job)
{
	return CALL(job, resume, nothing);
}

REEVE_PUBLIC void reeve_job_log(struct reeve_job *job, int severity, const char *event, const char *fields)
{
	if (HAS(job, job_log) && event)
		job->ops->job_log(job, severity, event, fields);
}

REEVE_PUBLIC int reeve_finish(struct reeve_job *job, int outcome)
{
	if (outcome == REEVE_PENDING)
		return REEVE_E_INVALID;
	return CALL(job, finish, REEVE_E_STATE, outcome);
}

REEVE_PUBLIC int reeve_call(
	struct reeve_job *job, const char *capability, const void *data, size_t size, struct reeve_result **out)
{
	if (!capability || !out || (!data && size))
		return REEVE_E_INVALID;
	*out = NULL;
	return CALL(job, call, REEVE_E_STATE, capability, data, size, out);
}

REEVE_PUBLIC struct reeve_bytes reeve_result_bytes(const struct reeve_result *result)
{
	return CALL(result, result_bytes, nothing);
}

REEVE_PUBLIC void reeve_result_free(struct reeve_result *result)
{
	if (HAS(result, result_free))
		result->ops->result_free(result);
}
