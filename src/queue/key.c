#include "queue/key.h"

#include "base/mem.h"
#include "job/job_record.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

enum { ROW_KEY_SIZE = 1 + KEY_NAME_SIZE };

static void hash_part(gnutls_hash_hd_t h, struct bytes part)
{
	uint32_t size = (uint32_t)part.size; /* so that ("a", "bc") and ("ab", "c") differ */
	gnutls_hash(h, &size, sizeof size);
	if (part.size)
		gnutls_hash(h, part.data, part.size);
}

static gnutls_hash_hd_t hash_names(const struct job_spec *spec)
{
	gnutls_hash_hd_t h;
	if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
		abort();
	hash_part(h, spec->namespace.size ? spec->namespace : bytes_of("default"));
	hash_part(h, spec->capability);
	return h;
}

void key_of(const struct job_spec *spec, struct key *out)
{
	gnutls_hash_hd_t h = hash_names(spec);
	unsigned char digest[32];
	*out = (struct key){0};
	hash_part(h, spec->idempotency_key);
	gnutls_hash_output(h, digest);
	memcpy(out->name, digest, sizeof out->name);
	hash_part(h, spec->input);
	gnutls_hash_deinit(h, digest);
	memcpy(&out->detail, digest, sizeof out->detail);
}

/* A key that reads like an input is another one than that input: by what is said before it. */
void key_of_unique(const struct job_spec *spec, struct key *out)
{
	gnutls_hash_hd_t h = hash_names(spec);
	unsigned char digest[32];
	const struct job_unique *u = &spec->unique;
	hash_part(h, bytes_of(u->key.size ? "key" : "input"));
	hash_part(h, u->key.size ? u->key : spec->input);
	gnutls_hash_deinit(h, digest);
	*out = (struct key){.detail = u->states};
	memcpy(out->name, digest, sizeof out->name);
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
	*k = (struct keys){.kind = k->kind};
}

static struct store_key row_key(const struct keys *k, const struct key *key, char text[ROW_KEY_SIZE])
{
	text[0] = (char)k->kind;
	memcpy(text + 1, key->name, sizeof key->name);
	return (struct store_key){.text = {text, ROW_KEY_SIZE}};
}

void keys_put_row(const struct keys *k, struct store_batch *b, const struct key *key)
{
	char text[ROW_KEY_SIZE];
	scoped(buf_fini) struct buf head = {0};
	key_record_encode(&(struct key_record){key->job_id, key->detail, key->expires_at_ms}, &head);
	store_batch_put(b, STORE_KEY, row_key(k, key, text), buf_bytes(&head), (struct bytes){0});
}

void keys_delete_row(const struct keys *k, struct store_batch *b, const struct key *key)
{
	char text[ROW_KEY_SIZE];
	store_batch_delete(b, STORE_KEY, row_key(k, key, text));
}

void keys_load_row(struct keys *k, const struct store_row *row)
{
	struct key_record r;
	struct key key;
	if (row->key.text.size != ROW_KEY_SIZE || row->key.text.data[0] != (char)k->kind)
		return;
	if (key_record_decode(row->head, &r, NULL) || !r.job_id)
		return;
	memcpy(key.name, row->key.text.data + 1, sizeof key.name);
	key.job_id = r.job_id;
	key.detail = r.detail;
	key.expires_at_ms = r.expires_at_ms;
	keys_add(k, &key);
}

void keys_sweep(struct keys *k, int64_t now_ms, struct store_batch *b)
{
	for (size_t n = 0; n < KEYS_SWEEP && k->n; n++) {
		size_t i = k->sweep & (k->room - 1);
		struct key *s = &k->slots[i];
		if (s->job_id && s->expires_at_ms <= now_ms) {
			keys_delete_row(k, b, s);
			remove_slot(k, i); /* what moved into the gap is looked at next */
		} else {
			k->sweep++;
		}
	}
}
