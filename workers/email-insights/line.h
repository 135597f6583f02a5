/* line.h - one line of the items file: what insights want to know of one message. */
#pragma once

#include <stdint.h>
#include "scan.h"

#define LINE_BYTES_MAX	 (16u << 20) /* of one line: an item of the parser is far smaller */
#define LINE_ANSWERS_MAX 16
#define LINE_FIELD		 1024u

struct answer {
	struct span type, prediction;
	int64_t points; /* confidence in ten-thousandths: sums are exact, and the same in any order */
};

struct line {
	uint64_t key;
	struct span message_id, subject, from; /* `at` is NULL where the message has none */
	int failed;
	struct span code; /* of the error, when failed */
	struct answer answer[LINE_ANSWERS_MAX];
	int answers_n;
	char memory[3 * LINE_FIELD + 256 + LINE_ANSWERS_MAX * 128];
	size_t used;
};

/* 0, or -1 with a sentence. The spans point into l->memory. */
int line_read(struct line *l, const char *text, size_t size, char *why, size_t why_size);
