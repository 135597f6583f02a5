/* worker.h - what configuration declares: an id, a type, where its code is, how many replicas, and how it is kept alive.
 *
 * Made from checked JSON by worker_parse (spec.c); afterwards nobody writes to it but the supervisor (`replicas`, `wanted`)
 * and the package resolver (`code`). The same struct serves both types: "process or module?" is one member.
 * Loop thread only; runners copy what their threads need. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "worker/health.h"
#include "worker/restart.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum worker_type { WORKER_PROCESS, WORKER_MODULE };
enum worker_kind { WORKER_INTEGRATED, WORKER_MANAGED }; /* of a process: it speaks the link, or we only start it */
enum worker_on_crash {
	WORKER_CRASH_RESTART,
	WORKER_CRASH_QUARANTINE,
	WORKER_CRASH_DEMOTE
}; /* of a module: quarantine: it stays off until it is started by hand; demote: it goes on as a process */

enum { /* limits of what configuration chooses */
	WORKER_ID_MAX = 64, /* bytes: letters, digits, - _ . */
	WORKER_REPLICAS_MAX = 1024,
	WORKER_CONCURRENCY_MAX = 1024,
	WORKER_ARGS_MAX = 1024,
	WORKER_EXEC_MAX = 64,
};

struct worker_exec { /* a capability that is a command: input on stdin, result on stdout, exit 75 means try again */
	char *capability, *version, *summary;
	char **command; /* NULL last; command[0] is looked up in PATH */
	bool binary; /* the result is stdout byte by byte; else JSON, or text that becomes a JSON string */
};

struct worker_limits { /* of one instance of a process; 0: none */
	uint64_t memory_bytes;
	uint64_t processes, files;
	double cpus;
};

struct worker_code { /* where the code is, as resolved from package and explicit paths (package/resolve.h) */
	char *executable; /* absolute path, or NULL */
	char **args; /* NULL last; without argv[0] */
	char *module; /* absolute path, or NULL */
	char *entry_point; /* "reeve_export" */
	char *directory; /* of the package, or NULL */
	char *package, *version; /* what was found, or NULL */
};

struct worker {
	char *id;
	char **namespaces; /* whose jobs it takes: one or more, NULL last */
	size_t namespace_n;
	char *namespace; /* the first of them */
	enum worker_type type;
	enum worker_kind kind;
	char *package_name, *package_range; /* "data-processor", "1.2.3"; NULL when none is named */

	char *executable_path, **args, **environment,
		*working_directory; /* execution.*; environment is "NAME=value", NULL last */
	bool args_given;
	char *module_path, *entry_point; /* module.* */
	char *config; /* JSON text for the worker, the same in either placement; "{}" when none */
	struct worker_exec *execs;
	size_t exec_n;

	unsigned replicas_min, replicas_max, concurrency, prefetch;
	struct restart_policy restart;
	int64_t start_timeout_ms, stop_timeout_ms;
	struct worker_limits limits;
	struct health_check health[HEALTH_QUESTIONS];
	enum worker_on_crash on_crash;
	bool ready_notify; /* a managed program says READY=1 to $NOTIFY_SOCKET when it has started */
	unsigned ready_descriptor; /* or a newline on this one; 0: it runs as soon as it is spawned */
	char **after; /* ids of workers that are started first; NULL last, or NULL */
	bool essential; /* given up: the daemon ends with an error */
	bool enabled;

	char *spec; /* the declaration as canonical JSON: equal text, equal worker (reload compares it) */
	struct worker_code code;

	/* the supervisor's */
	struct list link; /* of all workers */
	struct list instances; /* of struct instance.link */
	unsigned replicas; /* wanted now: min <= replicas <= max */
	bool wanted; /* should run: enabled and not stopped by hand */
	bool removing; /* ends with its last instance */
	bool runtime; /* added over the API, not from the file */

	uint64_t jobs_processed, jobs_failed; /* attempts that ended well, and not: dispatch counts */
};

/* worker.schema.json, the JSON Schema of one worker: a part of the configuration's schema and of POST /v1/workers. */
extern const char *const worker_schema;

/* Makes a worker of JSON that worker_schema has accepted. What a schema cannot say (limits on a module, a bad duration, min above
 * max) is refused here: the sentence names the member and what would be right, and `at` (may be NULL) gets the JSON pointer
 * of the member within the worker, "/replicas/min". */
enum errcode worker_parse(const json_t *json, struct worker **out, char at[128], struct err *e);
void worker_free(struct worker *w); /* has no instances any more */
void worker_code_fini(struct worker_code *c); /* back to empty */

bool worker_serves(const struct worker *w, struct bytes namespace); /* one of its namespaces; empty: any */
const char *worker_type_word(enum worker_type t); /* "process", "module" */
