/* item.h - a message as one JSON object: the item of email.parse.
 *
 * Members in a fixed order, no times of ours, so the same mail is the same bytes wherever and however often it is read.
 * No item is larger than ITEM_MAX: the text is cut further (text_truncated) if its escapes make it too long, then the lists.
 */
#pragma once

#include "keywords.h"
#include "message.h"

#define ITEM_MAX (1u << 20)

struct item_view {
	uint64_t key; /* byte offset of the message in its mailbox */
	size_t snippet_length; /* characters */
	const struct keywords *keywords;
	const bool *found; /* one for each keyword */
	size_t matched; /* how many of them are set */
};

/* Replaces the content of `out`. False: no memory. */
bool item_write(struct buf *out, const struct message *m, const struct item_view *view);
