/* checks.h - inside upkeep/: what doctor.c and the checks of rows and blobs share. */
#pragma once
#include "blob/blob.h"
#include "store/store.h"
#include "upkeep/doctor.h"

struct blob_ref { /* a name in a row */
	char name[BLOB_NAME_SIZE];
	bool needed; /* a job's input: without it the job cannot be done */
};

struct doctor {
	const struct doctor_options *o;
	bool repair; /* asked for, and allowed */
	bool bad; /* an error was found */
	int lock; /* or -1 */
	struct store_reader *reader; /* NULL: there is no store to read */
	struct blob_ref *refs;
	size_t ref_n, ref_room;
};

void doctor_say(struct doctor *d, const char *check, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void checks_rows(struct doctor *d); /* and notes the blobs that they name */
void checks_blobs(struct doctor *d);
void checks_forget(struct doctor *d);
