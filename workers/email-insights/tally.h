/* tally.h - what all messages add up to. Memory is bounded by the limits below, not by how many messages there are. */
#pragma once

#include <stdint.h>
#include <stddef.h>
#include "line.h"

#define TALLY_TYPES		  16
#define TALLY_PREDICTIONS 64 /* of a type; what comes after counts as "other" */
#define TALLY_CODES		  16
#define TALLY_NAME		  64

/* The borders, in ten-thousandths, of the original; high priority is ours: it counted two answers above 0.8, whatever they were. */
#define TALLY_BILL		 7000 /* bill, above */
#define TALLY_SUSPICIOUS 8000 /* spam, above */
#define TALLY_URGENT	 5000 /* high, above */

struct tally_count {
	char name[TALLY_NAME];
	uint64_t count;
	int64_t points;
};

struct tally_type {
	struct tally_count all;
	struct tally_count prediction[TALLY_PREDICTIONS];
	int predictions_n;
};

/* A message in one of the lists. */
struct tally_entry {
	uint64_t key;
	char *message_id, *subject, *from; /* NULL where the message has none */
	int64_t points;
};

struct tally_list {
	uint64_t count; /* all that belong here */
	struct tally_entry *entry;
	size_t n; /* those that are kept: the first */
};

struct tally {
	uint64_t messages, failed;
	struct tally_type type[TALLY_TYPES];
	int types_n;
	struct tally_count code[TALLY_CODES]; /* of failures */
	int codes_n;
	size_t list_max;
	struct tally_list bills, urgent, suspicious;
};

void tally_init(struct tally *t, size_t list_max);
void tally_fini(struct tally *t);

/* 0, or -1 when there is no memory. */
int tally_add(struct tally *t, const struct line *l);

/* How many messages of `type` were answered `prediction`; and all of the type. */
uint64_t tally_of(const struct tally *t, const char *type, const char *prediction, uint64_t *all);
