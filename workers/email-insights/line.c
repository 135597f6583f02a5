/* line.c - the members of an item that count here; all others are stepped over. */
#include "line.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int line_is(struct span name, const char *text)
{
	return name.size == strlen(text) && !memcmp(name.at, text, name.size);
}

/* A string of at most `most` bytes into the line's memory; anything else is stepped over and is NULL. */
static int line_text(struct line *l, struct scan *j, size_t most, struct span *out)
{
	*out = (struct span){NULL, 0};
	if (scan_peek(j) != '"')
		return scan_skip(j);
	size_t left = sizeof l->memory - l->used;
	if (scan_string(j, l->memory + l->used, most < left ? most : left, out))
		return -1;
	l->used += out->size;
	return 0;
}

/* Calls `member` for each member of the object at j. */
static int line_object(
	struct line *l, struct scan *j, int (*member)(struct line *, struct scan *, struct span, void *), void *to)
{
	char buffer[64];
	struct span name;
	if (scan_expect(j, '{'))
		return -1;
	for (int n = 0; scan_peek(j) != '}'; n++) {
		if (n && scan_expect(j, ','))
			return -1;
		if (scan_string(j, buffer, sizeof buffer, &name) || scan_expect(j, ':') || member(l, j, name, to))
			return -1;
	}
	j->at++;
	return 0;
}

static int line_answer(struct line *l, struct scan *j, struct span name, void *to)
{
	struct answer *a = to;
	double confidence;
	if (line_is(name, "type"))
		return line_text(l, j, 64, &a->type);
	if (line_is(name, "prediction"))
		return line_text(l, j, 64, &a->prediction);
	if (!line_is(name, "confidence"))
		return scan_skip(j);
	if (scan_number(j, &confidence))
		return -1;
	if (!(confidence >= 0 && confidence <= 1)) {
		j->problem = "a confidence is not from 0 to 1";
		return -1;
	}
	a->points = (int64_t)round(confidence * 10000);
	return 0;
}

static int line_answers(struct line *l, struct scan *j)
{
	if (scan_peek(j) != '[')
		return scan_skip(j);
	j->at++;
	for (int n = 0; scan_peek(j) != ']'; n++) {
		struct answer *a = &l->answer[l->answers_n];
		if (n && scan_expect(j, ','))
			return -1;
		if (n >= LINE_ANSWERS_MAX) {
			j->problem = "more than 16 classifications";
			return -1;
		}
		memset(a, 0, sizeof *a);
		if (line_object(l, j, line_answer, a))
			return -1;
		if (!a->type.size || !a->prediction.size) {
			j->problem = "a classification has no type or no prediction";
			return -1;
		}
		l->answers_n++;
	}
	j->at++;
	return 0;
}

static int line_error(struct line *l, struct scan *j, struct span name, void *to)
{
	return line_is(name, "code") ? line_text(l, j, 64, &l->code) : scan_skip(j);
}

static int line_member(struct line *l, struct scan *j, struct span name, void *to)
{
	double number;
	if (line_is(name, "message_id"))
		return line_text(l, j, LINE_FIELD, &l->message_id);
	if (line_is(name, "subject"))
		return line_text(l, j, LINE_FIELD, &l->subject);
	if (line_is(name, "from"))
		return line_text(l, j, LINE_FIELD, &l->from);
	if (line_is(name, "classifications"))
		return line_answers(l, j);
	if (line_is(name, "error") && scan_peek(j) == '{') {
		l->failed = 1;
		return line_object(l, j, line_error, NULL);
	}
	if (!line_is(name, "key"))
		return scan_skip(j);
	if (scan_number(j, &number))
		return -1;
	l->key = number >= 0 ? (uint64_t)number : 0;
	return 0;
}

int line_read(struct line *l, const char *text, size_t size, char *why, size_t why_size)
{
	struct scan j = {text, text + size, NULL};
	memset(l, 0, offsetof(struct line, memory));
	l->used = 0;
	if (!line_object(l, &j, line_member, NULL) && !scan_peek(&j))
		return 0;
	snprintf(why, why_size, "byte %td: %s", j.at - text, j.problem ? j.problem : "this is not one JSON object");
	return -1;
}
