/* happened.c - what the wiring tells becomes events. One small allocation each: jobs end tens of thousands of times a second. */
#include "api/api.h"

#include "event/event.h"

void api_job_ended(struct api *a, const struct job *j, const struct job_outcome *o)
{
	static const char *const types[] = {
		[END_COMPLETED] = "job.completed", [END_FAILED] = "job.failed", [END_CANCELLED] = "job.cancelled"};
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = types[o->end],
			.job_id = j->id,
			.run_id = j->run_id,
			.namespace = queue_namespace(j->queue),
			.capability = queue_capability(j->queue),
			.attempt = j->attempts,
			.message = o->end == END_COMPLETED ? (struct bytes){NULL, 0} : bytes_of(o->error.message)});
}

static void publish_minor(struct api *a, const struct job *j, const char *type, int attempt)
{
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = type,
			.job_id = j->id,
			.run_id = j->run_id,
			.namespace = queue_namespace(j->queue),
			.capability = queue_capability(j->queue),
			.attempt = attempt,
			.minor = true});
}

void api_job_pending(struct api *a, const struct job *j)
{
	publish_minor(a, j, "job.pending", 0);
}

void api_job_started(struct api *a, const struct job *j)
{
	publish_minor(a, j, "job.processing", j->attempts);
}

void api_job_progress(struct api *a, const struct job *j, int percent, struct bytes message)
{
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = "job.progress",
			.job_id = j->id,
			.run_id = j->run_id,
			.namespace = queue_namespace(j->queue),
			.capability = queue_capability(j->queue),
			.attempt = j->attempts,
			.percent = percent,
			.message = message});
}

void api_claim_expired(struct api *a, const struct claim_view *v, struct bytes why)
{
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = "claim.expired",
			.job_id = v->job->id,
			.run_id = v->job->run_id,
			.namespace = queue_namespace(v->job->queue),
			.capability = queue_capability(v->job->queue),
			.attempt = v->job->attempts,
			.message = why});
}

void api_instance_changed(struct api *a, const struct instance *i)
{
	static const char *const types[INSTANCE_STATES] = {[INSTANCE_UNINITIALIZED] = "instance.uninitialized",
		[INSTANCE_INITIALIZING] = "instance.initializing",
		[INSTANCE_INITIALIZED] = "instance.initialized",
		[INSTANCE_STARTING] = "instance.starting",
		[INSTANCE_RUNNING] = "instance.running",
		[INSTANCE_STOPPING] = "instance.stopping",
		[INSTANCE_STOPPED] = "instance.stopped",
		[INSTANCE_FAILED] = "instance.failed"};
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = types[i->state],
			.namespace = bytes_of(i->worker->namespace),
			.worker = bytes_of(i->worker->id),
			.instance = bytes_of(i->id),
			.message = i->state == INSTANCE_FAILED ? bytes_of(i->last_error.details) : (struct bytes){NULL, 0}});
}

void api_batch_changed(struct api *a, uint64_t id, struct bytes namespace, const char *status, int percent)
{
	static const char *const ends[][2] = {
		{"completed", "batch.completed"}, {"failed", "batch.failed"}, {"cancelled", "batch.cancelled"}};
	const char *type = "batch.progress";
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (strcmp(status, ends[i][0]) == 0)
			type = ends[i][1];
	}
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = type, .batch_id = id, .namespace = namespace, .percent = percent});
}

void api_callback_told(struct api *a, const struct callback_view *v, enum callback_news news)
{
	static const char *const types[] = {[CALLBACK_DELIVERED] = "callback.delivered",
		[CALLBACK_RETRIED] = "callback.retried",
		[CALLBACK_FAILED] = "callback.failed"};
	event_publish(a->events, loop_now_ms(a->loop),
		&(struct event){.type = types[news],
			.job_id = v->job_id,
			.batch_id = v->batch_id,
			.namespace = v->namespace,
			.attempt = v->attempts,
			.message = news == CALLBACK_DELIVERED ? (struct bytes){NULL, 0} : v->error});
}

void api_run_changed(struct api *a, uint64_t run_id, enum run_state state)
{
	static const char *const types[] = {[RUN_RUNNING] = "run.running",
		[RUN_COMPLETED] = "run.completed",
		[RUN_FAILED] = "run.failed",
		[RUN_CANCELLED] = "run.cancelled"};
	event_publish(a->events, loop_now_ms(a->loop), &(struct event){.type = types[state], .run_id = run_id});
}
