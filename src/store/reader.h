/* reader.h - look-ups that block, for whoever may: what a store_reader is, for the implementations. */
#pragma once
#include "store/deliver.h"
#include "store/store.h"

struct store_reader { /* embedded first */
	enum errcode (*get)(struct store_reader *r, enum store_table table, struct store_key key, struct buf *head,
		struct buf *body, struct err *e);
	enum errcode (*scan)(
		struct store_reader *r, const struct store_range *range, store_visit *visit, void *context, struct err *e);
	void (*close)(struct store_reader *r); /* of a snapshot */
};

/* A list or a query on its way: made on the loop thread, done on a reader's, finished on the loop thread. */
struct reader_request {
	struct request request; /* run: finishes and frees it */
	struct store_range range;
	store_visit *visit; /* NULL: a query */
	void (*listed)(void *context, enum errcode code);
	void (*work)(void *context, struct store_reader *r);
	void (*worked)(void *context);
	void *context;
	enum errcode code;
	char text[512]; /* what range.from.text points to */
};

struct reader_request *reader_list(
	const struct store_range *range, store_visit *visit, void (*done)(void *context, enum errcode code), void *context);
struct reader_request *reader_query(
	void (*work)(void *context, struct store_reader *r), void (*done)(void *context), void *context);
void reader_do(struct reader_request *q, struct store_reader *r); /* the reading part */
