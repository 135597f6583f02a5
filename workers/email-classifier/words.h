/* words.h - text into words: a scanner over bytes that knows links, addresses, money and HTML tags, and forgets all else. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum word_kind {
	WORD_TEXT, /* letters, digits, bytes above 127, an apostrophe within; hashed in lower case, digits as '0' */
	WORD_MARK, /* a run of one of ! $ % ? # *, or three or more of = - _ ~ + | : >; hashed with its length, at most 3 */
	WORD_HOST, /* the host of a link or an address: its last label, then its last two; or once as "a number" */
	WORD_LINK, /* a web link begins; `hash` is that of its domain (words_domain), at and size are its host */
	WORD_TAG, /* an HTML tag was stepped over */
	WORD_LINE /* a line begins; `first` is its first byte */
};

struct word {
	enum word_kind kind;
	uint32_t hash;
	uint32_t size, capitals, digits; /* bytes */
	uint8_t high; /* has a byte above 127 */
	char first;
	const char *at;
};

#define WORDS_SINK(name) void (*name)(void *context, const struct word *w)

/* Calls `sink` for each, in order. Any bytes; no allocation. */
void words_read(const char *text, size_t size, WORDS_SINK(sink), void *context);

/* The part of a host name that somebody owns: "example.com" of "mail.example.com", "shop.co.uk" of "www.shop.co.uk". Its hash;
 * *name: the hash of its first label ("example"), as a word of a text hashes. Both 0 for an address in numbers. */
uint32_t words_domain(const char *host, size_t size, uint32_t *name);

/* The WORD_HOST words of one host name, as they would come from a link to it. */
void words_host(const char *host, size_t size, WORDS_SINK(sink), void *context);
