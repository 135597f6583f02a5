/* host.h - the function table behind <reeve/worker.h>: what a host gives to the workers that it runs.
 *
 * A worker calls reeve_emit(job, ...); libreeve (sdk/dispatch.c) finds the table through the first member of `job` and calls
 * ops->emit(job, ...). So one worker binary serves three hosts, which all begin their own structs with the ones below:
 *   link host    sdk/link_host.c   a process that speaks the link
 *   module host  src/module/       the engine itself
 *   test host    sdk/run_host.c    `worker --run CAPABILITY`, no daemon
 *
 *     struct module_job { struct reeve_job base; struct delivery *delivery; ... };
 *     job->base.ops = &module_ops;
 *
 * Versioned by `size`, as everything that crosses this border: members are only appended, and libreeve treats a member beyond
 * `size`, or NULL, as "this host cannot": functions that return int give REEVE_E_STATE, the others an empty value. So a new
 * libreeve runs in an old engine, and an old one in a new engine.
 *
 * The contract of each function is that of its namesake in worker.h, including "any thread". libreeve checks before it
 * calls: job, instance and out are not NULL; data is not NULL when size > 0; a non-blob output of a capability without
 * REEVE_BINARY_OUTPUT is NOT yet checked to be JSON (the host knows the capability: use wire/jsontext.h).
 * A host never aborts, prints, or lets a worker's argument overflow anything. Pure: declarations only. */
#pragma once
#include <reeve/worker.h>

struct reeve_host_ops;

struct reeve_job {
	const struct reeve_host_ops *ops;
};

struct reeve_instance {
	const struct reeve_host_ops *ops;
};

struct reeve_result { /* made by ops->call, ended by ops->result_free */
	const struct reeve_host_ops *ops;
};

struct reeve_host_ops {
	uint32_t size; /* sizeof(struct reeve_host_ops) where the host was compiled */
	uint32_t abi; /* REEVE_ABI there */

	/* the instance */
	struct reeve_bytes (*config)(const struct reeve_instance *self);
	const char *(*instance_id)(const struct reeve_instance *self);
	void (*log)(const struct reeve_instance *self, int severity, const char *event, const char *fields);
	int (*announce)(
		struct reeve_instance *self, const char *name, const char *type, const char *address, const char *metadata);

	/* the job: facts; none of them blocks */
	const char *(*job_id)(const struct reeve_job *job);
	uint64_t (*fence)(const struct reeve_job *job);
	int (*attempt)(const struct reeve_job *job);
	int64_t (*remaining_ms)(const struct reeve_job *job);
	int (*cancelled)(const struct reeve_job *job);
	struct reeve_bytes (*input)(const struct reeve_job *job);
	struct reeve_bytes (*resume)(const struct reeve_job *job);

	/* the job: effects; those marked * may block the calling thread until the host answers or the job is cancelled */
	int (*input_open)(struct reeve_job *job);
	int (*reply)(struct reeve_job *job, const void *data, size_t size);
	int (*reply_file)(struct reeve_job *job, int fd); /* * */
	int (*fail)(
		struct reeve_job *job, const char *code, int retryable, const char *message); /* code, message: never NULL */
	int (*blob)(struct reeve_job *job, int fd, char *name, size_t size); /* * */
	const char *(*scratch)(struct reeve_job *job); /* NULL: cannot be made */
	int (*progress)(
		struct reeve_job *job, int percent, const char *message); /* percent is 0-100; message may be NULL */
	int (*emit)(struct reeve_job *job, uint64_t key, const void *data, size_t size); /* * */
	int (*checkpoint)(struct reeve_job *job, const void *data, size_t size);
	void (*job_log)(struct reeve_job *job, int severity, const char *event, const char *fields);
	int (*finish)(struct reeve_job *job, int outcome);

	/* calls */
	int (*call)(struct reeve_job *job, const char *capability, const void *data, size_t size,
		struct reeve_result **out); /* * */
	struct reeve_bytes (*result_bytes)(const struct reeve_result *result);
	void (*result_free)(struct reeve_result *result); /* never NULL */

	/* the job: facts, again; appended */
	const char *(*traceparent)(const struct reeve_job *job);
};

/* Limits that every host applies in the same way (REEVE_E_TOO_LARGE, REEVE_E_INVALID). */
enum {
	HOST_CALLBACK_MAX = 8 << 10,
	HOST_INPUT_MAX = 1 << 20, /* bytes of an inline input, of a job and of a call; more goes as a blob */
	HOST_RESULT_MAX = 1 << 20, /* a longer reply becomes a blob: the result is {"blob":"sha256:..."} */
	HOST_REPLY_MAX = 1 << 30, /* a longer reply is refused: use reeve_reply_file */
	HOST_ITEM_MAX = 1 << 20, /* bytes of an item */
	HOST_CHECKPOINT_MAX = 1 << 20, /* bytes of a checkpoint */
	HOST_ERROR_CODE_MAX = 63, /* bytes; longer texts of reeve_fail, logs and progress are cut, not refused */
	HOST_MESSAGE_MAX = 511,
	HOST_LOG_MAX = 16 << 10, /* bytes of a log line's event and fields together */
	HOST_TRACE_MAX = 128, /* bytes of a traceparent */
	HOST_CALL_DEPTH = 16,
};
