#include "store/rows.h"

#include "base/mem.h"

#include <stdlib.h>

int rows_compare(const struct store_key *a, const struct store_key *b)
{
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->sub != b->sub)
		return a->sub < b->sub ? -1 : 1;
	size_t common = a->text.size < b->text.size ? a->text.size : b->text.size;
	int by_text = common ? memcmp(a->text.data, b->text.data, common) : 0;
	if (by_text)
		return by_text;
	return a->text.size < b->text.size ? -1 : a->text.size > b->text.size;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

static uint64_t rank_of(const struct store_key *key)
{
	uint64_t h = mix(key->id ^ mix(key->sub + 1));
	for (size_t i = 0; i < key->text.size; i++)
		h = (h ^ (unsigned char)key->text.data[i]) * 0x100000001b3ULL;
	return key->text.size ? mix(h) : h;
}

static struct row *row_new(const struct store_key *key, struct bytes head, struct bytes body)
{
	struct row *r = mem_resize(NULL, sizeof *r + key->text.size + head.size + body.size);
	char *at = (char *)(r + 1);
	*r = (struct row){.rank = rank_of(key), .key = {key->id, key->sub, {at, key->text.size}}};
	r->head = (struct bytes){at + key->text.size, head.size};
	r->body = (struct bytes){at + key->text.size + head.size, body.size};
	if (key->text.size)
		memcpy(at, key->text.data, key->text.size);
	if (head.size)
		memcpy(at + key->text.size, head.data, head.size);
	if (body.size)
		memcpy(at + key->text.size + head.size, body.data, body.size);
	return r;
}

static struct row **slot_of(struct rows *t, const struct store_key *key)
{
	struct row **at = &t->root;
	for (int c; *at && (c = rows_compare(key, &(*at)->key));)
		at = c < 0 ? &(*at)->left : &(*at)->right;
	return at;
}

struct row *rows_find(const struct rows *t, const struct store_key *key)
{
	return *slot_of((struct rows *)t, key);
}

/* Divides the tree at r into what is below and above r's key: they become r's children. */
static void split(struct row *tree, struct row *r)
{
	struct row **low = &r->left, **high = &r->right;
	while (tree) {
		if (rows_compare(&tree->key, &r->key) < 0) {
			*low = tree;
			low = &tree->right;
			tree = tree->right;
		} else {
			*high = tree;
			high = &tree->left;
			tree = tree->left;
		}
	}
	*low = *high = NULL;
}

static struct row *join(struct row *low, struct row *high)
{
	struct row *root = NULL, **at = &root;
	while (low && high) {
		if (low->rank > high->rank) {
			*at = low;
			at = &low->right;
			low = low->right;
		} else {
			*at = high;
			at = &high->left;
			high = high->left;
		}
	}
	*at = low ? low : high;
	return root;
}

static void replace(struct row **at, struct row *r)
{
	struct row *old = *at;
	r->left = old->left;
	r->right = old->right;
	*at = r;
	free(old);
}

void rows_put(struct rows *t, const struct store_key *key, struct bytes head, struct bytes body)
{
	struct row *r = row_new(key, head, body), **at = slot_of(t, key);
	if (*at) {
		replace(at, r);
		return;
	}
	at = &t->root;
	while (*at && (*at)->rank >= r->rank)
		at = rows_compare(key, &(*at)->key) < 0 ? &(*at)->left : &(*at)->right;
	split(*at, r);
	*at = r;
	t->n++;
}

void rows_put_head(struct rows *t, const struct store_key *key, struct bytes head)
{
	struct row **at = slot_of(t, key);
	if (*at)
		replace(at, row_new(key, head, (*at)->body));
}

void rows_delete(struct rows *t, const struct store_key *key)
{
	struct row **at = slot_of(t, key), *r = *at;
	if (!r)
		return;
	*at = join(r->left, r->right);
	free(r);
	t->n--;
}

struct row *rows_from(const struct rows *t, const struct store_key *key, bool strictly)
{
	struct row *best = NULL;
	for (struct row *r = t->root; r;) {
		int c = rows_compare(&r->key, key);
		if (c > 0 || (c == 0 && !strictly)) {
			best = r;
			r = r->left;
		} else {
			r = r->right;
		}
	}
	return best;
}

struct row *rows_down_from(const struct rows *t, const struct store_key *key, bool strictly)
{
	struct row *best = NULL;
	for (struct row *r = t->root; r;) {
		int c = rows_compare(&r->key, key);
		if (c < 0 || (c == 0 && !strictly)) {
			best = r;
			r = r->right;
		} else {
			r = r->left;
		}
	}
	return best;
}

struct row *rows_last(const struct rows *t)
{
	struct row *r = t->root;
	while (r && r->right)
		r = r->right;
	return r;
}

void rows_fini(struct rows *t)
{
	while (t->root) { /* turns the tree into a list as it goes: no recursion, however deep */
		struct row *r = t->root;
		if (r->left) {
			struct row *left = r->left;
			r->left = left->right;
			left->right = r;
			t->root = left;
		} else {
			t->root = r->right;
			free(r);
		}
	}
	t->n = 0;
}
