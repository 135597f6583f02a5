/* settings.h - the configuration file as the engine needs it: read, checked, and nothing else.
 *
 * Reading has no effect: a file that is refused leaves what runs untouched (reload), and `reeve config check` is the same
 * code. Errors are one sentence with file:line:column. */
#pragma once
#include "base/err.h"
#include "callback/callback.h"
#include "daemon/options.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "schedule/schedule.h"
#include "worker/worker.h"

#include <limits.h>

enum {
	SETTINGS_WORKERS_MAX = 4096,
	SETTINGS_PIPELINES_MAX = 1024,
	SETTINGS_QUEUES_MAX = 4096,
	SETTINGS_PACKAGES_MAX = 16
};

struct queue_setting {
	char *namespace, *capability;
	struct queue_limits limits;
};

struct namespace_setting {
	char *name;
	struct flow_limits limits;
	uint32_t weight;
};

struct callback_settings {
	struct callback_limits limits;
	int64_t timeout_ms; /* of one request */
	struct allow *allow;
	char *secret_file, *ca_file; /* NULL: none, the system's */
};

struct settings {
	char node[64];
	char data_dir[PATH_MAX], socket[256];
	char base_dir[PATH_MAX]; /* of the file: relative paths in it begin here */
	bool memory_store;
	uint64_t blob_max_bytes;
	int64_t blob_keep_unused_ms;
	struct queue_limits jobs; /* of queues that have none of their own */
	struct worker **workers; /* settings_take_worker moves one out */
	size_t worker_n;
	struct pipeline **pipelines;
	size_t pipeline_n;
	struct schedule_definition **schedules;
	size_t schedule_n;
	struct queue_setting *queues;
	size_t queue_n;
	struct namespace_setting *namespaces;
	size_t namespace_n;
	struct callback_settings callbacks; /* those of the start: a reload leaves them */
	char *packages[SETTINGS_PACKAGES_MAX + 1]; /* directories, NULL last; configured ones first */
};

/* o->config NULL: defaults. */
enum errcode settings_read(const struct options *o, struct settings **out, struct err *e);
void settings_free(struct settings *s);
struct config;
enum errcode settings_read_callbacks(
	struct settings *s, const struct config *c, struct err *e); /* settings_callbacks.c */
enum errcode settings_read_schedules(
	struct settings *s, const struct config *c, struct err *e); /* settings_schedules.c */
/* The directory of the workers that were built or installed with this program: workers/ beside it, or libexec/reeve/workers/ of
 * its prefix. False: /proc is not mounted. */
bool settings_own_workers(char path[PATH_MAX]);
char *settings_schema(void); /* JSON Schema of the file; the caller's */
/* The same limits and schema for a worker that comes over the API. */
enum errcode settings_package_reader(void *context, const char *path, const char *schema, json_t **out, struct err *e);
