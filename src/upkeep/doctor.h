/* doctor.h - is all well with a data directory? Reads everything and changes nothing, unless asked to repair. Blocks; main thread.
 *
 *   directory   it is there, its owner and permissions, the lock: who has it
 *   space       how much is left, for rows and for files
 *   kernel      what the engine needs: pidfd, memfd, SO_PEERCRED's user ...
 *   format      of the store: ours, or one that the next start brings up
 *   store       SQLite's own check of every page, and that every row of every table can be read
 *   rows        every head is one that this version understands
 *   references  what a row belongs to is there: items, checkpoints, attempts of jobs; keys
 *   blobs       each has the SHA-256 that its name says; what rows name is there; nobody needs the rest
 *
 * Repaired is only what loses nothing: permissions of the directory and of the files in it, unfinished uploads, and names beside
 * blobs that are not there. Not while a daemon has the directory. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum doctor_status { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_REPAIRED };

struct doctor_finding {
	const char *check; /* "store" */
	enum doctor_status status;
	char text[400]; /* one sentence, without a dot */
};

struct doctor_options {
	const char *data_dir;
	bool memory_store; /* by configuration: then no store is missed */
	bool repair;
	void (*found)(void *context, const struct doctor_finding *f);
	void (*progress)(void *context, uint64_t done, uint64_t total); /* blobs; may be NULL */
	void *context;
};

bool doctor_run(const struct doctor_options *o); /* false: there was an error */
