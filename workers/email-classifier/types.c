/* types.c - the table of questions. */
#include "types.h"

#include <string.h>

const struct type types[TYPES_N] = {
	[TYPE_SPAM] = {"spam_detection", "spam.model", "spam, not_spam", 0},
	[TYPE_BILL] = {"bill_detection", "bill.model", "bill, not_bill", 1},
	[TYPE_RECEIPT] = {"receipt_detection", "receipt.model", "receipt, not_receipt", 1},
	[TYPE_CATEGORY] = {"category", "category.model", "business, personal, marketing, support", 1},
	[TYPE_SENTIMENT] = {"sentiment_analysis", NULL, "positive, negative, neutral", 1},
	[TYPE_PRIORITY] = {"priority", NULL, "high, medium, low", 1},
	[TYPE_LANGUAGE] = {"language_detection", NULL, "an ISO 639-1 code", 0},
};

const enum type_id types_default[TYPES_N] = {
	TYPE_SPAM, TYPE_BILL, TYPE_RECEIPT, TYPE_SENTIMENT, TYPE_CATEGORY, TYPE_PRIORITY, TYPE_LANGUAGE};

int types_find(const char *name, size_t size)
{
	for (int i = 0; i < TYPES_N; i++)
		if (strlen(types[i].name) == size && !memcmp(types[i].name, name, size))
			return i;
	return -1;
}
