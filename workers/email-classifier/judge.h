/* judge.h - a mail in, an answer to each question out: the classifier without its worker.
 *
 * A judge is models, lexicon and language library, read-only once open: any number of threads may ask it at a time, each with
 * a struct traits of its own. The same mail gets the same answers, in any order, on any machine. */
#pragma once

#include "traits.h"
#include "types.h"

struct judge;

#define JUDGE_LANGUAGE_DIR "/usr/share/libexttextcat"
#define JUDGE_UNKNOWN	   "unknown"

/* `model_dir` holds the *.model files and languages.conf. NULL with a sentence in `why`. */
struct judge *judge_open(const char *model_dir, const char *language_dir, char *why, size_t why_size);
void judge_close(struct judge *j);

struct verdict {
	char prediction[24];
	double confidence; /* 0 to 1; how often such an answer is right. Of "unknown": 0 */
};

/* Answers asked[0 … asked_n-1] into out[]. `f` is scratch memory. */
void judge_mail(const struct judge *j, struct traits *f, const struct mail *m, const enum type_id *asked, int asked_n,
	struct verdict *out);
