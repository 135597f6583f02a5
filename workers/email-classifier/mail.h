/* mail.h - what the classifier knows of one message: four pieces of UTF-8 text, borrowed from whoever parsed them.
 *
 * Nothing else is looked at: no other headers, no date, no recipient. So a model can learn only from what every way in can
 * give it: an item of `email.parse`, or the plain "Subject: …\nFrom: …\nBody: …" text of a direct call. */
#pragma once

#include <stddef.h>

struct span {
	const char *at; /* not NUL-terminated; may be NULL when size is 0 */
	size_t size;
};

struct mail {
	struct span subject;
	struct span from; /* "Name <address>", either part alone, or empty */
	struct span text; /* the body; HTML tags left in it are stepped over */
	struct span message_id; /* "<…@host>", or empty: only whether it names the sender's domain is looked at */
};

/* Text that may begin with header-like lines ("Subject:", "From:", "Body:" and the usual others, in any case), the form in
 * which a person writes a message down. Text that does not begin so is the body as a whole. *m points into `content`. */
void mail_of_content(struct mail *m, struct span content);
