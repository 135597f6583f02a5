/* summary.h - what is known about a mailbox so far: the running statistics of email.parse and email.analyze. checkpoint.h
 * keeps them over a crash, result.h makes the answer of them. Memory is bounded whatever the input (tally.h).
 */
#pragma once

#include "keywords.h"
#include "mbox.h"
#include "message.h"
#include "tally.h"

enum summary_kind { SUMMARY_PARSE, SUMMARY_ANALYZE };

struct summary {
	enum summary_kind kind;
	uint64_t messages, damaged, receipts; /* receipts: messages with a keyword in them */
	uint64_t characters; /* of all texts */
	uint64_t size_min, size_max, size_total; /* raw bytes of messages */
	uint64_t dated; /* messages whose date could be read */
	int64_t earliest, latest; /* instants; of the dated ones */
	char earliest_text[48], latest_text[48];
	uint64_t attachments, attachment_bytes, with_attachments;
	uint64_t *keyword_counts; /* one for each keyword */
	struct tally senders; /* addresses in lower case */
	struct tally words, months, types; /* for SUMMARY_ANALYZE only */
};

void summary_init(struct summary *s, enum summary_kind kind, const struct keywords *k);
void summary_fini(struct summary *s); /* accepts a zeroed one */
/* Counts one message; found[i] says whether keyword i is in it. */
void summary_add(struct summary *s, const struct message *m, const struct keywords *k, const bool *found);
