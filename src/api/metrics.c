/* /metrics: what can be asked is set when somebody looks; requests are counted as they are answered. */
#include "api/api.h"

#include "base/mem.h"
#include "metrics/metrics.h"
#include "os/proc.h"

#include <reeve/version.h>
#include <stdio.h>
#include <unistd.h>

static void show_metrics(void *context, struct http_request *r);

const struct http_route metric_routes[] = {
	{.method = "GET",
		.path = "/metrics",
		.handle = show_metrics,
		.summary = "Numbers in Prometheus' text format",
		.doc = "\"responses\":{\"200\":{\"description\":\"metrics\",\"content\":{\"text/"
			   "plain\":{\"schema\":{\"type\":\"string\"}}}}}"},
	{0},
};

static struct metric_family *fresh(
	struct api *a, enum metric_type type, const char *name, const char *help, const char *labels)
{
	struct metric_family *f = metrics_family(a->metrics, type, name, help, labels);
	metrics_clear(f);
	return f;
}

static void set_one(struct api *a, enum metric_type type, const char *name, const char *help, double value)
{
	metric_set(metrics_get(fresh(a, type, name, help, NULL), NULL), value);
}

/* ── queues ── */

struct of_queues {
	struct metric_family *jobs, *age, *paused, *completed, *failed, *crashed, *duplicates, *repeated, *fenced, *keys,
		*blocked, *pruned;
	int64_t now_ms;
};

static void set_queue(void *context, struct queue *q)
{
	struct of_queues *f = context;
	struct queue_info i;
	queue_get_info(q, &i);
	struct bytes labels[3] = {i.namespace, i.capability, {NULL, 0}};
	const struct {
		const char *state;
		uint64_t n;
	} states[] = {
		{"pending", i.pending}, {"scheduled", i.scheduled}, {"processing", i.processing}, {"failed", i.failed}};
	for (size_t s = 0; s < ARRAY_SIZE(states); s++) {
		labels[2] = bytes_of(states[s].state);
		metric_set(metrics_get(f->jobs, labels), (double)states[s].n);
	}
	int64_t age_ms = i.oldest_at_ms && f->now_ms > i.oldest_at_ms ? f->now_ms - i.oldest_at_ms : 0;
	metric_set(metrics_get(f->age, labels), (double)age_ms / 1000);
	metric_set(metrics_get(f->paused, labels), i.paused);
	metric_set(metrics_get(f->completed, labels), (double)i.completed_total);
	metric_set(metrics_get(f->failed, labels), (double)i.failed_total);
	metric_set(metrics_get(f->crashed, labels), (double)i.crashed_total);
	metric_set(metrics_get(f->duplicates, labels), (double)i.duplicates_total);
	metric_set(metrics_get(f->repeated, labels), (double)i.repeated_total);
	metric_set(metrics_get(f->fenced, labels), (double)i.fenced_total);
	metric_set(metrics_get(f->pruned, labels), (double)i.dead_pruned_total);
	metric_set(metrics_get(f->keys, labels), (double)i.keys);
	labels[2] = bytes_of(queue_block_word(i.blocked));
	if (i.blocked)
		metric_set(metrics_get(f->blocked, labels), 1);
}

static void set_queues(struct api *a)
{
	static const char by[] = "namespace,capability";
	struct of_queues f = {.now_ms = loop_now_ms(a->loop)};
	f.jobs = fresh(a, METRIC_GAUGE, "reeve_queue_jobs", "Jobs by state; failed ones are dead letters.",
		"namespace,capability,state");
	f.age = fresh(a, METRIC_GAUGE, "reeve_queue_oldest_age_seconds", "Age of the oldest pending job.", by);
	f.paused = fresh(a, METRIC_GAUGE, "reeve_queue_paused", "1 while the queue is paused.", by);
	f.completed = fresh(a, METRIC_COUNTER, "reeve_jobs_completed_total", "Jobs that completed.", by);
	f.failed = fresh(a, METRIC_COUNTER, "reeve_jobs_failed_total", "Jobs that became dead letters.", by);
	f.crashed = fresh(a, METRIC_COUNTER, "reeve_jobs_crashed_total", "Attempts that ended with their worker.", by);
	f.duplicates = fresh(a, METRIC_COUNTER, "reeve_jobs_duplicates_total",
		"Items whose key was known: an attempt that was made again.", by);
	f.repeated = fresh(a, METRIC_COUNTER, "reeve_jobs_repeated_total",
		"Attempts that began after the lease of the one before was lost.", by);
	f.pruned = fresh(a, METRIC_COUNTER, "reeve_dead_pruned_total",
		"Dead letters that went for their age, or because their queue had too many.", by);
	f.fenced = fresh(
		a, METRIC_COUNTER, "reeve_jobs_fenced_total", "Completions that came when the lease had been taken back.", by);
	f.keys = fresh(a, METRIC_GAUGE, "reeve_queue_keys", "Keys that have a live job.", by);
	f.blocked = fresh(a, METRIC_GAUGE, "reeve_queue_blocked", "1: jobs wait, and this holds them back.",
		"namespace,capability,reason");
	queues_each(a->queues, set_queue, &f);
}

/* ── workers ── */

static void set_workers(struct api *a)
{
	struct metric_family *state =
		fresh(a, METRIC_GAUGE, "reeve_instances", "Instances by state.", "worker,worker_type,state");
	struct metric_family *busy =
		fresh(a, METRIC_GAUGE, "reeve_instance_jobs", "Jobs and calls in hand.", "worker,worker_type,instance");
	struct metric_family *restarts = fresh(a, METRIC_GAUGE, "reeve_instance_restarts",
		"Restarts since the instance was made.", "worker,worker_type,instance");
	struct metric_family *memory = fresh(
		a, METRIC_GAUGE, "reeve_instance_memory_bytes", "Resident memory of a process.", "worker,worker_type,instance");
	struct metric_family *processed =
		fresh(a, METRIC_UNTYPED, "worker_jobs_processed", "Jobs that this worker completed.", "worker_id");
	struct metric_family *failed =
		fresh(a, METRIC_UNTYPED, "worker_jobs_failed", "Jobs that this worker failed.", "worker_id");
	struct metric_family *uptime = fresh(
		a, METRIC_UNTYPED, "worker_uptime_seconds", "Time since its oldest running instance started.", "worker_id");
	int64_t now_ms = loop_now_ms(a->loop);
	list_each(supervisor_workers(a->supervisor), at)
	{
		const struct worker *w = container_of(at, struct worker, link);
		struct bytes labels[3] = {bytes_of(w->id), bytes_of(worker_type_word(w->type)), {NULL, 0}};
		int64_t oldest_ms = now_ms;
		list_each((struct list *)&w->instances, in)
		{
			const struct instance *i = container_of(in, struct instance, link);
			struct metric *m;
			struct proc_stat st;
			labels[2] = bytes_of(instance_state_word(i->state));
			m = metrics_get(state, labels);
			metric_set(m, metric_value(m) + 1);
			labels[2] = bytes_of(i->id);
			metric_set(metrics_get(busy, labels), i->in_flight);
			metric_set(metrics_get(restarts, labels), i->restarts);
			if (i->pid > 0 && proc_stat_read(i->pid, &st))
				metric_set(metrics_get(memory, labels), (double)st.rss_bytes);
			if (i->state == INSTANCE_RUNNING && i->started_at_ms && i->started_at_ms < oldest_ms)
				oldest_ms = i->started_at_ms;
		}
		metric_set(metrics_get(processed, labels), (double)w->jobs_processed);
		metric_set(metrics_get(failed, labels), (double)w->jobs_failed);
		metric_set(metrics_get(uptime, labels), (double)(now_ms - oldest_ms) / 1000);
	}
}

/* ── pull clients ── */

static void set_claims(struct api *a)
{
	struct claims_stats s;
	claims_get_stats(a->claims, &s);
	set_one(a, METRIC_GAUGE, "reeve_claims_held", "Jobs in the hands of pull clients.", (double)s.held);
	set_one(a, METRIC_GAUGE, "reeve_claims_waiting", "Claims that wait for a job.", (double)s.waiting);
	set_one(a, METRIC_COUNTER, "reeve_claims_total", "Jobs that pull clients were given.", (double)s.claimed);
	set_one(a, METRIC_COUNTER, "reeve_claims_completed_total", "Those that they completed.", (double)s.completed);
	set_one(a, METRIC_COUNTER, "reeve_claims_failed_total", "Those that they failed.", (double)s.failed);
	set_one(a, METRIC_COUNTER, "reeve_claims_released_total", "Those that they gave back.", (double)s.released);
	set_one(a, METRIC_COUNTER, "reeve_claims_expired_total", "Those whose lease ran out.", (double)s.expired);
	set_one(a, METRIC_COUNTER, "reeve_claims_returned_total",
		"Jobs that went back because their client had gone before it could be given them.", (double)s.returned);
}

/* ── schedules ── */

static void set_schedules(struct api *a)
{
	static const char by[] = "namespace,schedule";
	struct metric_family *made =
		fresh(a, METRIC_COUNTER, "reeve_schedule_fired_total", "Occurrences that were made.", by);
	struct metric_family *missed =
		fresh(a, METRIC_COUNTER, "reeve_schedule_missed_total", "Occurrences that nobody was there for.", by);
	struct metric_family *skipped = fresh(
		a, METRIC_COUNTER, "reeve_schedule_skipped_total", "Occurrences left out because the job before lived.", by);
	struct metric_family *failed =
		fresh(a, METRIC_COUNTER, "reeve_schedule_failed_total", "Occurrences that could not be made.", by);
	struct metric_family *next =
		fresh(a, METRIC_GAUGE, "reeve_schedule_next_timestamp_seconds", "When the next one is; 0: never.", by);
	const struct schedule *s;
	for (size_t i = 0; (s = schedules_at(a->schedules, i)); i++) {
		struct schedule_info info;
		schedule_get_info(s, &info);
		struct bytes labels[2] = {bytes_of(info.definition->namespace), bytes_of(info.definition->name)};
		metric_set(metrics_get(made, labels), (double)info.made);
		metric_set(metrics_get(missed, labels), (double)info.missed);
		metric_set(metrics_get(skipped, labels), (double)info.skipped);
		metric_set(metrics_get(failed, labels), (double)info.failed);
		bool never = info.paused || info.next_ms == TIMING_NEVER;
		metric_set(metrics_get(next, labels), never ? 0 : (double)info.next_ms / 1000);
	}
}

/* ── batches, callbacks ── */

static void set_batches(struct api *a)
{
	struct batches_stats s;
	batches_get_stats(a->batches, &s);
	set_one(a, METRIC_GAUGE, "reeve_batches", "Batches that are not over.", (double)s.live);
	struct metric_family *ended =
		fresh(a, METRIC_COUNTER, "reeve_batches_ended_total", "Batches that are over.", "status");
	metric_set(metrics_get1(ended, "completed"), (double)s.completed_total);
	metric_set(metrics_get1(ended, "failed"), (double)s.failed_total);
	metric_set(metrics_get1(ended, "cancelled"), (double)s.cancelled_total);
}

static void set_callbacks(struct api *a)
{
	struct callback_stats s;
	callbacks_get_stats(a->callbacks, &s);
	struct metric_family *now = fresh(
		a, METRIC_GAUGE, "reeve_callbacks", "Callbacks by state: still to be sent, being sent, given up.", "state");
	metric_set(metrics_get1(now, "pending"), (double)(s.pending - s.in_flight));
	metric_set(metrics_get1(now, "in_flight"), (double)s.in_flight);
	metric_set(metrics_get1(now, "failed"), (double)s.failed);
	set_one(a, METRIC_COUNTER, "reeve_callbacks_delivered_total", "Callbacks that arrived.", (double)s.delivered_total);
	set_one(a, METRIC_COUNTER, "reeve_callbacks_failed_total", "Callbacks that were given up.", (double)s.failed_total);
	set_one(a, METRIC_COUNTER, "reeve_callback_attempts_failed_total", "Requests of callbacks that did not arrive.",
		(double)s.attempts_failed_total);
}

/* ── the engine ── */

static void set_store(struct api *a)
{
	struct store_stats s;
	a->store->ops->stats(a->store, &s);
	set_one(a, METRIC_COUNTER, "reeve_store_commits_total", "Commits (each one fsync).", (double)s.commits);
	set_one(a, METRIC_COUNTER, "reeve_store_batches_total", "Batches that were committed, several to a commit.",
		(double)s.batches);
	set_one(a, METRIC_COUNTER, "reeve_store_rows_written_total", "Rows written.", (double)s.rows_written);
	set_one(a, METRIC_COUNTER, "reeve_store_bytes_written_total", "Bytes of rows written.", (double)s.bytes_written);
	set_one(a, METRIC_GAUGE, "reeve_store_file_bytes", "Size of the store's file.", (double)s.file_bytes);
	set_one(a, METRIC_GAUGE, "reeve_store_wal_bytes", "Size of its log.", (double)s.wal_bytes);
	set_one(
		a, METRIC_GAUGE, "reeve_store_waiting_batches", "Batches that wait for the writer.", (double)s.pending_batches);
	set_one(a, METRIC_GAUGE, "reeve_store_full", "1 while the disk is full.", s.full);
}

static void set_blobs(struct api *a)
{
	struct blob_stats s;
	blobs_get_stats(a->blobs, &s);
	set_one(a, METRIC_GAUGE, "reeve_blobs", "Blobs that are kept.", (double)s.n);
	set_one(a, METRIC_GAUGE, "reeve_blob_bytes", "Their size.", (double)s.bytes);
	set_one(a, METRIC_COUNTER, "reeve_blobs_collected_total", "Blobs that were deleted since nothing named them.",
		(double)s.collected);
	set_one(a, METRIC_COUNTER, "reeve_blob_bytes_collected_total", "Their size.", (double)s.collected_bytes);
}

static void set_engine(struct api *a)
{
	struct loop_lag lag;
	struct dispatch_stats d;
	struct proc_stat st;
	loop_get_lag(a->loop, &lag, true);
	dispatch_get_stats(a->dispatch, &d);
	set_one(a, METRIC_GAUGE, "reeve_loop_lag_p50_seconds",
		"Median busy time of a turn of the loop, since the last scrape.", (double)lag.p50_us / 1e6);
	set_one(a, METRIC_GAUGE, "reeve_loop_lag_p99_seconds", "Its 99th percentile.", (double)lag.p99_us / 1e6);
	set_one(a, METRIC_GAUGE, "reeve_loop_lag_max_seconds", "Its maximum.", (double)lag.max_us / 1e6);
	set_one(a, METRIC_COUNTER, "reeve_deliveries_total", "Jobs and calls handed to instances.", (double)d.delivered);
	set_one(
		a, METRIC_COUNTER, "reeve_deliveries_lost_total", "Those whose instance went away with them.", (double)d.lost);
	set_one(a, METRIC_GAUGE, "reeve_deliveries_in_flight", "Those in hand now.", (double)d.in_flight);
	set_one(a, METRIC_COUNTER, "reeve_calls_total", "Transactional calls.", (double)d.calls);
	set_one(a, METRIC_COUNTER, "reeve_calls_failed_total", "Transactional calls that failed.", (double)d.calls_failed);
	set_one(a, METRIC_GAUGE, "reeve_uptime_seconds", "Time since the engine started.",
		(double)(loop_now_ms(a->loop) - a->started_at_ms) / 1000);
	if (proc_stat_read(getpid(), &st)) {
		set_one(a, METRIC_GAUGE, "reeve_memory_bytes", "Resident memory of the engine.", (double)st.rss_bytes);
		set_one(
			a, METRIC_COUNTER, "reeve_cpu_seconds_total", "Processor time of the engine.", (double)st.cpu_ms / 1000);
	}
	metric_set(metrics_get1(fresh(a, METRIC_GAUGE, "reeve_build_info", "1; the label says the version.", "version"),
				   REEVE_VERSION),
		1);
}

static void collect(void *context)
{
	struct api *a = context;
	set_queues(a);
	set_workers(a);
	set_claims(a);
	set_schedules(a);
	set_batches(a);
	set_callbacks(a);
	set_store(a);
	set_blobs(a);
	set_engine(a);
}

static void show_metrics(void *context, struct http_request *r)
{
	struct api *a = context;
	struct buf out = {0};
	if (!a->collects) {
		metrics_on_collect(a->metrics, collect, a);
		a->collects = true;
	}
	metrics_write(a->metrics, &out);
	http_reply_buf(r, 200, METRICS_CONTENT_TYPE, &out);
}

void api_answered(void *api, const struct http_route *route, int status, uint64_t took_us)
{
	struct api *a = api;
	char text[16];
	snprintf(text, sizeof text, "%d", status);
	struct bytes labels[3] = {
		bytes_of(route ? route->method : "other"), bytes_of(route ? route->path : "other"), bytes_of(text)};
	metric_add(metrics_get(metrics_family(a->metrics, METRIC_COUNTER, "reeve_http_requests_total",
							   "HTTP requests by route and status.", "method,route,status"),
				   labels),
		1);
	metric_observe(metrics_get(metrics_family(a->metrics, METRIC_HISTOGRAM, "reeve_http_request_seconds",
								   "Time from a request's first byte to the end of its answer.", "method,route"),
					   labels),
		(double)took_us / 1e6);
}
