/* html_text.h - HTML reduced to the text that a reader would see.
 *
 * Script, style and the head are left out, block elements begin a new line, entities are decoded, white space is collapsed
 * (not in <pre>), a link is "text (address)", an image is its alternative text. The tree is gumbo's, in an arena that is kept
 * from message to message: there is nothing to free node by node, and a document that asks for more than HTML_TEXT_MEMORY_MAX
 * ends there.
 */
#pragma once

#include "buf.h"

#define HTML_TEXT_MEMORY_MAX	 (48u << 20)
#define HTML_TEXT_DEPTH_MAX		 512 /* elements within elements that are open at one time; more is markup that attacks */
#define HTML_TEXT_ATTRIBUTES_MAX 1000 /* of a tag; likewise */

struct html_text; /* the arena; one thread at a time */

struct html_text *html_text_new(void); /* NULL: no memory */
void html_text_free(struct html_text *h);

/* Adds the text of n bytes of HTML (UTF-8) to out. False: too deep or too large, its tags were only cut out; what was added
 * is text all the same. */
bool html_text_reduce(struct html_text *h, struct buf *out, const char *html, size_t n);
