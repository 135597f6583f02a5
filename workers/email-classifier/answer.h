/* answer.h - verdicts as the JSON of the reply. */
#pragma once

#include "judge.h"

#define ANSWER_MAX 2048u

/* {"classifications":[{"type","prediction","confidence"[,"below_threshold":true]}]} into text[ANSWER_MAX]; returns its length.
 * Under `threshold` the prediction is "unknown", and the confidence stays what it was. */
size_t answer_write(char *text, const enum type_id *asked, const struct verdict *v, int n, double threshold);
