/* replay.c - a fuzz target without a fuzzer: each seed of a folder as it is, and so many changes of each, always the same ones.
 *     fuzz_NAME_replay NAME SEEDS          prints TAP; REEVE_LONG=1: fifty times as many */
#include "base/bytes.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES = 2000, LONG_FACTOR = 50, SEEDS_MAX = 64, SIZE_MAX_BYTES = 16384 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static struct buf seeds[SEEDS_MAX];
static unsigned seed_n;
static uint64_t state = 1;

static uint64_t below(uint64_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return n ? (z ^ z >> 31) % n : 0;
}

static void splice(struct buf *b, size_t at, size_t gone, const char *data, size_t size)
{
	scoped(buf_fini) struct buf tail = {0};
	buf_add(&tail, b->data + at + gone, b->size - at - gone);
	b->size = at;
	buf_add(b, data, size);
	buf_add(b, tail.data, tail.size);
}

/* One change: a byte, a cut, a piece of this seed again or of another one, or a number that is large. */
static void change(struct buf *b)
{
	static const char *const words[] = {
		"18446744073709551616", "-1", "1e308", "\"\"", "null", "[[[[", "\\ud800", "\xff\xfe", "{}"};
	size_t at = below(b->size + 1), n = below(16);
	const struct buf *other = &seeds[below(seed_n)];
	const char *word = words[below(ARRAY_SIZE(words))];
	size_t from = below(other->size);
	switch (below(5)) {
	case 0:
		if (at < b->size)
			b->data[at] = (char)below(256);
		break;
	case 1:
		splice(b, at, n < b->size - at ? n : b->size - at, "", 0);
		break;
	case 2:
		if (at < b->size)
			b->data[at] = (char)(b->data[at] ^ 1 << below(8));
		break;
	case 3:
		splice(b, at, 0, other->data + from, below(other->size - from + 1));
		break;
	default:
		splice(b, at, 0, word, strlen(word));
	}
}

static void run(const struct buf *b)
{
	char *exact = malloc(b->size + 1); /* so that a sanitizer sees one byte too far */
	memcpy(exact, b->data, b->size);
	char *fitted = realloc(exact, b->size ? b->size : 1);
	LLVMFuzzerTestOneInput((unsigned char *)fitted, b->size);
	free(fitted);
}

static bool read_seed(const char *folder, const char *name)
{
	char path[4096], block[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = name[0] == '.' ? NULL : fopen(path, "re");
	if (!f)
		return false;
	for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
		buf_add(&seeds[seed_n], block, n);
	fclose(f);
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
	struct dirent **names;
	unsigned long changes = getenv("REEVE_LONG") ? (unsigned long)CHANGES * LONG_FACTOR : CHANGES;
	int n = argc == 3 ? scandir(argv[2], &names, NULL, by_name) : -1;
	if (n < 0) {
		fprintf(stderr, "usage: fuzz_NAME_replay NAME SEEDS\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		if (seed_n < SEEDS_MAX && read_seed(argv[2], names[i]->d_name))
			seed_n++;
		free(names[i]);
	}
	free(names);
	printf("1..1\n");
	for (unsigned i = 0; i < seed_n; i++) {
		scoped(buf_fini) struct buf b = {0};
		run(&seeds[i]);
		for (unsigned long k = 0; k < changes / seed_n; k++) {
			if (k % 8 == 0 || b.size > SIZE_MAX_BYTES) {
				buf_clear(&b);
				buf_add(&b, seeds[i].data, seeds[i].size);
			}
			change(&b);
			run(&b);
		}
	}
	printf("%sok 1 - %s stands %u seeds and %lu changes of them\n", seed_n ? "" : "not ", argv[1], seed_n, changes);
	for (unsigned i = 0; i < seed_n; i++)
		buf_fini(&seeds[i]);
	return seed_n ? 0 : 1;
}
