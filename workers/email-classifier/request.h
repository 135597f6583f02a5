/* request.h - the input of email.classify: JSON text into a mail, the questions and the threshold.
 *
 * {"email_content": "Subject: …\nFrom: …\nBody: …" or a body alone, …}   as a person calls it
 * {"subject": …, "from": …, "message_id": …, "text": …, …}                                an item of email.parse; other members are stepped over
 * and with either: "types": [names], all seven when absent; "confidence_threshold": 0 to 1. */
#pragma once

#include "mail.h"
#include "types.h"

#define REQUEST_TEXT 65536u /* bytes of a text that are decoded; the rest of a longer one is not looked at */
#define REQUEST_LINE 4096u /* bytes of a subject or sender */

struct request {
	struct mail mail; /* points into the buffers below */
	enum type_id asked[TYPES_N];
	int asked_n;
	double threshold; /* negative when the request has none */
	char subject[REQUEST_LINE], from[REQUEST_LINE], message_id[REQUEST_LINE], text[REQUEST_TEXT];
};

/* 0, or -1 with a sentence for the caller in `why`. */
int request_read(struct request *r, const char *data, size_t size, char *why, size_t why_size);
