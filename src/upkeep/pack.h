/* pack.h - inside upkeep/: rows as bytes, as backup.h says. */
#pragma once
#include "base/bytes.h"
#include "store/store.h"

enum { PACK_CHUNK = 1 << 20, PACK_CHUNK_MAX = 64 << 20 }; /* bytes: a chunk is full; more is no chunk of ours */
#define PACK_HEX_SIZE 65

void pack_add(struct buf *out, const struct store_row *row);
/* Starts with *at = 0. False at the end, or where it is broken: then *at is not the size of `chunk`. A row of a table that is unknown
 * has table STORE_TABLES. */
bool pack_next(struct bytes chunk, size_t *at, struct store_row *row);
void pack_sha256(struct bytes chunk, char hex[PACK_HEX_SIZE]);
