/* sqlite_tables.h - the SQLite table of each table of the store. Inside store/. */
#pragma once
#include "store/store.h"

enum sqlite_kind { KIND_ID, KIND_SUB, KIND_TEXT };

struct sqlite_table {
	const char *name;
	enum sqlite_kind kind;
};

static const struct sqlite_table sqlite_tables[STORE_TABLES] = {
	[STORE_JOB] = {"job", KIND_ID},
	[STORE_DONE] = {"done", KIND_ID},
	[STORE_DEAD] = {"dead", KIND_ID},
	[STORE_ITEM] = {"item", KIND_SUB},
	[STORE_CHECKPOINT] = {"checkpoint", KIND_ID},
	[STORE_ATTEMPT] = {"attempt", KIND_SUB},
	[STORE_KEY] = {"key", KIND_TEXT},
	[STORE_RUN] = {"run", KIND_ID},
	[STORE_SETTING] = {"setting", KIND_TEXT},
	[STORE_CLAIM] = {"claim", KIND_ID},
	[STORE_SCHEDULE] = {"schedule", KIND_TEXT},
	[STORE_CALLBACK] = {"callback", KIND_ID},
	[STORE_BATCH] = {"batch", KIND_ID},
	[STORE_MEMBER] = {"member", KIND_SUB},
};

#define SUB_FLIP (1ULL << 63) /* sub as SQLite orders it */
