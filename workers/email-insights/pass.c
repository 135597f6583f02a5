/* pass.c - lines out of the file. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

#define PASS_STEP 512 /* lines between two reports */

struct pass {
	struct tally *tally;
	struct line *line;
	char *text;
	size_t room;
	uint64_t number, bytes;
};

static enum pass_end pass_line(struct pass *p, size_t n, char *why, size_t why_size)
{
	char reason[300];
	while (n && (p->text[n - 1] == '\n' || p->text[n - 1] == '\r'))
		n--;
	if (!n)
		return PASS_DONE;
	if (n > LINE_BYTES_MAX) {
		snprintf(why, why_size, "line %llu: %zu bytes, above %u", (unsigned long long)p->number, n, LINE_BYTES_MAX);
		return PASS_BAD;
	}
	if (line_read(p->line, p->text, n, reason, sizeof reason)) {
		snprintf(why, why_size, "line %llu, %s", (unsigned long long)p->number, reason);
		return PASS_BAD;
	}
	return tally_add(p->tally, p->line) ? PASS_NO_MEMORY : PASS_DONE;
}

enum pass_end pass_run(struct tally *t, FILE *file, const struct pass_watch *watch, char *why, size_t why_size)
{
	struct pass p = {.tally = t, .line = malloc(sizeof *p.line)};
	enum pass_end end = p.line ? PASS_DONE : PASS_NO_MEMORY;
	ssize_t n;
	while (end == PASS_DONE && (n = getline(&p.text, &p.room, file)) > 0) {
		p.number++;
		p.bytes += (uint64_t)n;
		end = pass_line(&p, (size_t)n, why, why_size);
		if (end == PASS_DONE && p.number % PASS_STEP == 0 && watch && watch->progress(watch->context, p.bytes))
			end = PASS_STOPPED;
	}
	if (end == PASS_DONE && ferror(file)) {
		snprintf(why, why_size, "line %llu: the items could not be read", (unsigned long long)p.number + 1);
		end = PASS_BAD;
	}
	free(p.line);
	free(p.text);
	return end;
}
