/* A job is cancelled or moved, by whoever asks: the queue knows live jobs only, and one that is over is not unknown. */
#include "api/api.h"

static enum errcode refused(struct api *a, uint64_t id, enum errcode code, const char *over, struct err *e)
{
	return code == E_NOT_FOUND && api_status_of(a, id) ? err_set(e, E_STATE, "the job is over; %s", over) : code;
}

enum errcode job_change_cancel(struct api *a, uint64_t id, queue_done *done, void *context, struct err *e)
{
	enum errcode code = queue_cancel(a->queues, id, loop_now_ms(a->loop), done, context, e);
	return refused(a, id, code, "only one that waits or runs can be cancelled", e);
}

enum errcode job_change_move(
	struct api *a, uint64_t id, const struct job_move *to, queue_done *done, void *context, struct err *e)
{
	enum errcode code = queue_move(a->queues, id, to, loop_now_ms(a->loop), done, context, e);
	return refused(a, id, code, "only one that is pending or scheduled can be moved", e);
}
