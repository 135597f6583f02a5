#include "base/nearest.h"

#include <ctype.h>

enum { WORD_MAX = 64 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

static bool same(char a, char b) /* case and the kind of separator are small mistakes */
{
	bool separators = (a == '_' || a == '-' || a == '.') && (b == '_' || b == '-' || b == '.');
	return separators || tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Levenshtein's distance, one row at a time; a swap of neighbours counts as two. */
static unsigned distance(struct bytes a, struct bytes b)
{
	unsigned row[WORD_MAX + 1];
	for (unsigned j = 0; j <= b.size; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.size; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.size; j++) {
			unsigned next = least(row[j] + 1, row[j - 1] + 1, diagonal + !same(a.data[i - 1], b.data[j - 1]));
			diagonal = row[j];
			row[j] = next;
		}
	}
	return row[b.size];
}

void nearest_try(struct nearest *n, struct bytes known)
{
	if (!n->wrong.size || n->wrong.size > WORD_MAX || !known.size || known.size > WORD_MAX)
		return;
	unsigned d = distance(n->wrong, known), near = n->wrong.size <= 4 ? 1 : 2;
	if (d <= near && (!n->best.data || d < n->distance)) {
		n->best = known;
		n->distance = d;
	}
}
