/* answer.c - the reply. */
#include "answer.h"

#include <stdio.h>
#include <string.h>

size_t answer_write(char *text, const enum type_id *asked, const struct verdict *v, int n, double threshold)
{
	size_t at = (size_t)snprintf(text, ANSWER_MAX, "{\"classifications\":[");
	for (int i = 0; i < n; i++) {
		int below = v[i].confidence < threshold && strcmp(v[i].prediction, JUDGE_UNKNOWN);
		long points = (long)(v[i].confidence * 10000 + 0.5); /* not %f: a host's locale may write a comma */
		at += (size_t)snprintf(text + at, ANSWER_MAX - at,
			"%s{\"type\":\"%s\",\"prediction\":\"%s\",\"confidence\":%ld.%04ld%s}", i ? "," : "", types[asked[i]].name,
			below ? JUDGE_UNKNOWN : v[i].prediction, points / 10000, points % 10000,
			below ? ",\"below_threshold\":true" : "");
	}
	at += (size_t)snprintf(text + at, ANSWER_MAX - at, "]}");
	return at;
}
