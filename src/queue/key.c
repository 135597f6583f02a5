#include "queue/key.h"

#include "base/mem.h"
#include "job/job_record.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

enum { ROW_PREFIX = 'i', ROW_KEY_SIZE = 17 };

static void hash_part(gnutls_hash_hd_t h, struct bytes part)
{
	uint32_t size = (uint32_t)part.size; /* so that ("a", "bc") and ("ab", "c") differ */
	gnutls_hash(h, &size, sizeof size);
	if (part.size)
		gnutls_hash(h, part.data, part.size);
}

void key_of(const struct job_spec *spec, struct key *out)
{
	gnutls_hash_hd_t h;
	unsigned char digest[32];
	*out = (struct key){0};
	if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
		abort();
	hash_part(h, spec->namespace.size ? spec->namespace : bytes_of("default"));
	hash_part(h, spec->capability);
	hash_part(h, spec->idempotency_key);
	gnutls_hash_output(h, digest);
	memcpy(out->name, digest, sizeof out->name);
	hash_part(h, spec->input);
	gnutls_hash_deinit(h, digest);
	memcpy(&out->input_hash, digest, sizeof out->input_hash);
}

static size_t home(const struct keys *k, const struct key *key)
{
	size_t h;
	memcpy(&h, key->name, sizeof h);
	return h & (k->room - 1);
}

static struct key *slot(const struct keys *k, const struct key *key)
{
	size_t i = home(k, key);
	while (k->slots[i].job_id && memcmp(k->slots[i].name, key->name, sizeof key->name))
		i = (i + 1) & (k->room - 1);
	return &k->slots[i];
}

struct key *keys_find(const struct keys *k, const struct key *key)
{
	if (!k->room)
		return NULL;
	struct key *s = slot(k, key);
	return s->job_id ? s : NULL;
}

static void resize(struct keys *k, size_t room)
{
	struct keys old = *k;
	k->slots = mem_new(room * sizeof *k->slots);
	k->room = room;
	for (size_t i = 0; i < old.room; i++) {
		if (old.slots[i].job_id)
			*slot(k, &old.slots[i]) = old.slots[i];
	}
	free(old.slots);
}

void keys_add(struct keys *k, const struct key *key)
{
	if ((k->n + 1) * 4 > k->room * 3)
		resize(k, k->room ? k->room * 2 : 64);
	struct key *s = slot(k, key);
	k->n += !s->job_id;
	*s = *key;
}

static void remove_slot(struct keys *k, size_t gap)
{
	size_t mask = k->room - 1;
	for (size_t i = (gap + 1) & mask; k->slots[i].job_id; i = (i + 1) & mask) {
		if (((i - home(k, &k->slots[i])) & mask) >= ((i - gap) & mask)) {
			k->slots[gap] = k->slots[i];
			gap = i;
		}
	}
	k->slots[gap].job_id = 0;
	k->n--;
}

void keys_remove(struct keys *k, const struct key *key)
{
	struct key *s = keys_find(k, key);
	if (s)
		remove_slot(k, (size_t)(s - k->slots));
}

void keys_fini(struct keys *k)
{
	free(k->slots);
	*k = (struct keys){0};
}

static struct store_key row_key(const struct key *key, char text[ROW_KEY_SIZE])
{
	text[0] = ROW_PREFIX;
	memcpy(text + 1, key->name, sizeof key->name);
	return (struct store_key){.text = {text, ROW_KEY_SIZE}};
}

void keys_put_row(struct store_batch *b, const struct key *key)
{
	char text[ROW_KEY_SIZE];
	scoped(buf_fini) struct buf head = {0};
	key_record_encode(&(struct key_record){key->job_id, key->input_hash, key->expires_at_ms}, &head);
	store_batch_put(b, STORE_KEY, row_key(key, text), buf_bytes(&head), (struct bytes){0});
}

void keys_load_row(struct keys *k, const struct store_row *row)
{
	struct key_record r;
	struct key key;
	if (row->key.text.size != ROW_KEY_SIZE || row->key.text.data[0] != ROW_PREFIX)
		return;
	if (key_record_decode(row->head, &r, NULL) || !r.job_id)
		return;
	memcpy(key.name, row->key.text.data + 1, sizeof key.name);
	key.job_id = r.job_id;
	key.input_hash = r.input_hash;
	key.expires_at_ms = r.expires_at_ms;
	keys_add(k, &key);
}

void keys_sweep(struct keys *k, int64_t now_ms, struct store_batch *b)
{
	char text[ROW_KEY_SIZE];
	size_t count = k->room / 256 + 64;
	for (size_t n = 0; n < count && k->n; n++) {
		size_t i = k->sweep & (k->room - 1);
		struct key *s = &k->slots[i];
		if (s->job_id && s->expires_at_ms <= now_ms) {
			store_batch_delete(b, STORE_KEY, row_key(s, text));
			remove_slot(k, i); /* what moved into the gap is looked at next */
		} else {
			k->sweep++;
		}
	}
}
