#include "upkeep/pack.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

static void put_number(struct buf *out, uint64_t n, unsigned size)
{
	unsigned char bytes[8];
	for (unsigned i = 0; i < size; i++)
		bytes[i] = (unsigned char)(n >> 8 * i);
	buf_add(out, bytes, size);
}

static void put_bytes(struct buf *out, struct bytes b)
{
	put_number(out, b.size, 4);
	buf_add(out, b.data, b.size);
}

void pack_add(struct buf *out, const struct store_row *row)
{
	const char *name = store_table_name(row->table);
	put_number(out, strlen(name), 1);
	buf_text(out, name);
	put_number(out, row->key.id, 8);
	put_number(out, row->key.sub, 8);
	put_bytes(out, row->key.text);
	put_bytes(out, row->head);
	put_bytes(out, row->body);
}

struct reading {
	struct bytes from;
	size_t at;
	bool broken;
};

static struct bytes get(struct reading *r, size_t size)
{
	if (r->broken || size > r->from.size - r->at) {
		r->broken = true;
		return (struct bytes){0};
	}
	r->at += size;
	return (struct bytes){r->from.data + r->at - size, size};
}

static uint64_t get_number(struct reading *r, unsigned size)
{
	struct bytes b = get(r, size);
	uint64_t n = 0;
	for (size_t i = 0; i < b.size; i++)
		n |= (uint64_t)(unsigned char)b.data[i] << 8 * i;
	return n;
}

static struct bytes get_bytes(struct reading *r)
{
	return get(r, get_number(r, 4));
}

static enum store_table table_of(struct bytes name)
{
	int t = 0;
	while (t < STORE_TABLES && !bytes_equal(name, bytes_of(store_table_name((enum store_table)t))))
		t++;
	return (enum store_table)t;
}

bool pack_next(struct bytes chunk, size_t *at, struct store_row *row)
{
	struct reading r = {chunk, *at, false};
	if (*at == chunk.size)
		return false;
	*row = (struct store_row){.table = table_of(get(&r, get_number(&r, 1)))};
	row->key.id = get_number(&r, 8);
	row->key.sub = get_number(&r, 8);
	row->key.text = get_bytes(&r);
	row->head = get_bytes(&r);
	row->body = get_bytes(&r);
	row->body_size = row->body.size;
	if (r.broken || row->key.text.size > 512)
		return false;
	*at = r.at;
	return true;
}

void pack_sha256(struct bytes chunk, char hex[PACK_HEX_SIZE])
{
	unsigned char digest[32];
	gnutls_hash_fast(GNUTLS_DIG_SHA256, chunk.data, chunk.size, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
