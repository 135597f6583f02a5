/* rows.h - an ordered table of rows in memory (a treap): what the memory store keeps. No threads. */
#pragma once
#include "store/store.h"

struct row { /* one allocation: text, head and body follow */
	struct row *left, *right;
	uint64_t rank; /* of the heap order; a hash of the key, so that the shape does not depend on history */
	struct store_key key;
	struct bytes head, body;
};

struct rows { /* zero-initialised is empty */
	struct row *root;
	size_t n;
};

int rows_compare(const struct store_key *a, const struct store_key *b);
struct row *rows_find(const struct rows *t, const struct store_key *key);
/* Insert or replace. */
void rows_put(struct rows *t, const struct store_key *key, struct bytes head, struct bytes body);
void rows_put_head(struct rows *t, const struct store_key *key, struct bytes head); /* nothing when it is not there */
void rows_delete(struct rows *t, const struct store_key *key);
/* The first row at or after `key`, or strictly after; and the same downwards. NULL: none. */
struct row *rows_from(const struct rows *t, const struct store_key *key, bool strictly);
struct row *rows_down_from(const struct rows *t, const struct store_key *key, bool strictly);
struct row *rows_last(const struct rows *t);
void rows_fini(struct rows *t);
