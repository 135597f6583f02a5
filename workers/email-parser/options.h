/* options.h - what a job asks for, and what the configuration allows. */
#pragma once

#include "fault.h"
#include "keywords.h"
#include "message.h"

#define OPTIONS_SNIPPET_MAX 10000
#define OPTIONS_TEXT_MAX	(512u << 10) /* so that an item stays under ITEM_MAX */
#define OPTIONS_MESSAGE_MAX (1u << 20) /* bytes of "message"; larger mail comes as a blob */

/* The worker's configuration: limits and defaults. */
struct options_config {
	size_t max_text; /* the most that a job may ask for, and what it gets unasked; 256 KiB */
	uint64_t max_message_bytes; /* a larger message is reported as damaged; 1 GiB */
	size_t snippet_length; /* unasked; 200 */
	enum attachment_mode attachments; /* unasked; metadata */
};

struct options {
	struct message_limits limits;
	struct keywords keywords;
	size_t snippet_length;
	uint64_t max_messages; /* UINT64_MAX: all */
	enum mbox_format format;
	char *message; /* the mail itself, when the job brought it along; free(). NULL: it is a blob */
	size_t message_n;
};

/* From the configuration's JSON ({NULL, 0}: all defaults). REEVE_E_INVALID with a sentence. */
int options_config_read(struct options_config *c, const char *json, size_t n, struct fault *f);

/* From the job's JSON, or {NULL, 0} for a bare blob. REEVE_E_INVALID with INVALID_OPTIONS; *o is then empty. */
int options_read(struct options *o, const struct options_config *c, const char *json, size_t n, struct fault *f);
void options_fini(struct options *o); /* accepts a zeroed one */
