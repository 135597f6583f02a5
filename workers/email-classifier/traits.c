/* traits.c - what of the three texts becomes a feature. The tokenizer is in words.c. */
#include "traits.h"

#include <string.h>
#include "words.h"

enum { PLACE_BODY = 1, PLACE_SUBJECT, PLACE_SENDER, PLACE_STAT, PLACE_LINK, PLACE_CAPS, PLACE_SENDER_HOST };

#define SUBJECT_WORDS 64
#define LINK_DOMAINS  32

const double traits_block_share[TRAITS_BLOCKS] = {
	[TRAITS_SUBJECT] = 0.6, [TRAITS_SENDER] = 0.5, [TRAITS_BODY] = 1, [TRAITS_LOOK] = 0.5};

struct reading {
	struct traits *f;
	uint32_t place, last; /* last: the hash of the word before, 0 at a beginning */
	uint32_t letters, capitals, digits, bangs, money, links, tags, lines, quoted;
	uint32_t domain, name; /* of the sender: hashes, as words_domain makes them; 0 when unknown */
	uint32_t name_said; /* how often the body has the sender's name as a word */
	uint32_t web, web_own, web_number; /* links; those into the sender's domain; those to a bare address */
	uint32_t domains_n, seen[LINK_DOMAINS];
	uint32_t longest; /* line of the body, bytes */
	const char *line;
	uint32_t subject_n, subject[SUBJECT_WORDS];
};

static uint32_t traits_mix(uint32_t a, uint32_t b)
{
	uint32_t h = a * 0x9e3779b1u ^ (b + 0x7f4a7c15u) * 0x85ebca6bu;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 13;
}

static void traits_add(struct traits *f, uint32_t hash)
{
	uint32_t index = hash & ((1u << TRAITS_BITS) - 1), slot = (index * 0x9e3779b1u) >> 19;
	for (;; slot = (slot + 1) & (TRAITS_SET - 1)) {
		if (f->set[slot] == index + 1)
			return;
		if (!f->set[slot])
			break;
	}
	if (f->n == TRAITS_MAX)
		return;
	f->set[slot] = index + 1;
	f->index[f->n++] = index;
}

static void traits_stat(struct reading *r, uint32_t which, uint32_t value)
{
	if (r->f->looks_n < TRAITS_LOOKS)
		r->f->look[r->f->looks_n++] = traits_mix(PLACE_STAT, which * 64 + value);
}

static uint32_t traits_log2(uint32_t n)
{
	return n ? 32 - (uint32_t)__builtin_clz(n) : 0;
}

static uint32_t traits_share(uint32_t part, uint32_t of) /* 0 nothing, then 1..7 in steps that double */
{
	static const uint32_t permille[] = {0, 10, 25, 60, 120, 250, 500};
	uint32_t share = of ? (uint32_t)((uint64_t)part * 1000 / of) : 0, bin = 0;
	if (!part)
		return 0;
	while (bin < 7 && share >= permille[bin])
		bin++;
	return bin;
}

static void traits_link(struct reading *r, uint32_t domain)
{
	uint32_t i = 0;
	r->web++;
	r->web_own += domain && domain == r->domain;
	r->web_number += !domain;
	while (i < r->domains_n && r->seen[i] != domain)
		i++;
	if (i == r->domains_n && i < LINK_DOMAINS)
		r->seen[r->domains_n++] = domain;
}

static void traits_line(struct reading *r, const char *at)
{
	if (r->line && (size_t)(at - r->line) > r->longest)
		r->longest = (uint32_t)(at - r->line);
	r->line = at;
}

static void traits_word(void *context, const struct word *w)
{
	struct reading *r = context;
	switch (w->kind) {
	case WORD_TEXT:
		traits_add(r->f, traits_mix(r->place, w->hash));
		if (r->place == PLACE_SUBJECT && r->subject_n < SUBJECT_WORDS)
			r->subject[r->subject_n++] = w->hash;
		r->name_said += w->hash == r->name;
		if (r->last)
			traits_add(r->f, traits_mix(r->place + 16, traits_mix(r->last, w->hash)));
		if (w->capitals == w->size && w->size > 3)
			traits_add(r->f, traits_mix(PLACE_CAPS, w->hash));
		r->last = w->hash;
		r->f->words_n++;
		r->f->foreign_n += w->high;
		r->letters += w->size - w->digits;
		r->capitals += w->capitals;
		r->digits += w->digits;
		break;
	case WORD_MARK:
		traits_add(r->f, traits_mix(r->place + 32, w->hash));
		r->bangs += w->first == '!';
		r->money += w->first == '$';
		break;
	case WORD_HOST:
		traits_add(r->f, traits_mix(r->place == PLACE_SENDER ? PLACE_SENDER_HOST : PLACE_LINK, w->hash));
		r->links++;
		break;
	case WORD_LINK:
		traits_link(r, w->hash);
		break;
	case WORD_TAG:
		r->tags++;
		break;
	case WORD_LINE:
		r->lines++;
		r->quoted += w->first == '>';
		traits_line(r, w->at);
		break;
	}
}

/* The footer that list software adds: a rule of underscores or dashes within the last lines. */
static size_t traits_without_footer(struct span text)
{
	size_t at = text.size, lines = 0;
	while (at > 0 && lines < 9 && text.size - at < 800) {
		size_t end = at;
		while (at > 0 && text.at[at - 1] != '\n')
			at--;
		size_t rule = 0;
		while (at + rule < end && (text.at[at + rule] == '_' || text.at[at + rule] == '-'))
			rule++;
		if (rule >= 20 && lines > 0)
			return at;
		lines += end > at;
		if (at > 0)
			at--;
	}
	return text.size;
}

/* "Re: [Tag] Fwd: x" is "x"; that there was an answer mark is a feature, the list's tag is not. */
static struct span traits_subject(struct reading *r, struct span s)
{
	for (;;) {
		while (s.size && (*s.at == ' ' || *s.at == '\t'))
			s.at++, s.size--;
		const char *close = s.size && *s.at == '[' ? memchr(s.at, ']', s.size) : NULL;
		size_t skip = close ? (size_t)(close - s.at) + 1 : 0;
		if (s.size > 2 && (s.at[0] | 32) == 'r' && (s.at[1] | 32) == 'e' && s.at[2] == ':')
			skip = 3;
		else if (s.size > 3 && (s.at[0] | 32) == 'f' && (s.at[1] | 32) == 'w' && s.at[2] == ':')
			skip = 3;
		else if (s.size > 4 && (s.at[0] | 32) == 'f' && (s.at[1] | 32) == 'w' && (s.at[2] | 32) == 'd' &&
				 s.at[3] == ':')
			skip = 4;
		if (!skip)
			return s;
		if (!close)
			traits_stat(r, 1, skip);
		s.at += skip;
		s.size -= skip;
	}
}

static void traits_read_subject(struct reading *r, struct span subject)
{
	struct span s = traits_subject(r, subject);
	r->place = PLACE_SUBJECT;
	r->last = 0;
	words_read(s.at, s.size < 1000 ? s.size : 1000, traits_word, r);
	traits_stat(r, 2, traits_share(r->capitals, r->letters));
	traits_stat(r, 3, r->bangs < 3 ? r->bangs : 3);
	traits_stat(r, 4, traits_log2(r->f->words_n));
	size_t gap = 0;
	for (size_t i = 0; i + 4 < s.size; i++)
		gap |= !memcmp(s.at + i, "     ", 5);
	traits_stat(r, 5, (uint32_t)gap); /* a random tail after a run of spaces */
}

/* Of the sender: his name, the host of the address, what the part before the @ looks like. */
static void traits_read_from(struct reading *r, struct span from)
{
	const char *at = from.size ? memchr(from.at, '@', from.size) : NULL;
	r->place = PLACE_SENDER;
	r->last = 0;
	if (!from.size)
		return;
	from.size = from.size < 1000 ? from.size : 1000;
	at = at && at < from.at + from.size ? at : NULL;
	size_t digits = 0, host = 0, local = at ? (size_t)(at - from.at) : 0;
	while (at && at + 1 + host < from.at + from.size && !strchr("> \t)\"", at[1 + host]))
		host++;
	for (size_t i = local; i > 0 && from.at[i - 1] != '<' && from.at[i - 1] != ' '; i--)
		digits += from.at[i - 1] >= '0' && from.at[i - 1] <= '9';
	words_read(from.at, at ? local : from.size, traits_word, r);
	if (at) {
		words_host(at + 1, host, traits_word, r);
		r->domain = words_domain(at + 1, host, &r->name);
	}
	traits_stat(r, 6, digits < 5 ? (uint32_t)digits : 5);
	traits_stat(r, 7, memchr(from.at, '<', from.size) != NULL);
}

/* Does the message's identity, which his own server gives it, name the sender's domain? */
static void traits_read_id(struct reading *r, struct span id)
{
	const char *at = id.size ? memchr(id.at, '@', id.size) : NULL;
	size_t host = 0;
	uint32_t name;
	while (at && at + 1 + host < id.at + id.size && !strchr("> \t", at[1 + host]))
		host++;
	if (at)
		traits_stat(r, 17, words_domain(at + 1, host, &name) == r->domain);
}

/* Whether the links lead to where the sender says that he is. */
static void traits_links(struct reading *r, uint32_t words)
{
	traits_stat(r, 18, traits_log2(r->domains_n));
	traits_stat(r, 19, traits_share(r->web, words));
	traits_stat(r, 20, r->web_number > 0);
	if (!r->domain)
		return;
	traits_stat(r, 21, !r->web_own ? 0 : r->web_own == r->web ? 3 : r->web_own * 2 >= r->web ? 2 : 1);
	traits_stat(r, 22, r->name_said < 3 ? r->name_said : 3);
}

static void traits_read_body(struct reading *r, struct span text)
{
	struct traits *f = r->f;
	uint32_t before = f->words_n;
	r->place = PLACE_BODY;
	for (uint32_t i = 0; i < r->subject_n; i++) /* what is true of a word in the body holds in the subject, too */
		traits_add(f, traits_mix(PLACE_BODY, r->subject[i]));
	words_read(text.at, text.size, traits_word, r);
	if (text.size)
		traits_line(r, text.at + text.size);
	uint32_t words = f->words_n - before;
	traits_stat(r, 8, traits_share(r->capitals, r->letters));
	traits_stat(r, 9, traits_share(r->digits, r->letters + r->digits));
	traits_stat(r, 10, traits_share(r->bangs, words));
	traits_stat(r, 11, traits_log2(r->money));
	traits_stat(r, 12, traits_log2(words));
	traits_stat(r, 13, traits_log2(r->links));
	traits_stat(r, 14, traits_share(r->quoted, r->lines));
	traits_stat(r, 15, traits_share(f->foreign_n, f->words_n));
	traits_stat(r, 16, r->tags > 3);
	traits_links(r, words);
	traits_stat(r, 23, traits_log2(r->longest));
	traits_stat(r, 24, traits_log2(r->lines ? (uint32_t)text.size / r->lines : 0));
	traits_stat(r, 25, traits_log2(r->lines));
	traits_stat(r, 26, words ? (r->letters / words < 15 ? r->letters / words : 15) : 0);
}

void traits_read(struct traits *f, const struct mail *m)
{
	struct reading r = {.f = f}, body = {.f = f};
	f->n = f->looks_n = f->words_n = f->foreign_n = 0;
	memset(f->set, 0, sizeof f->set);
	traits_read_subject(&r, m->subject);
	f->end[TRAITS_SUBJECT] = f->n;
	traits_read_from(&r, m->from);
	traits_read_id(&r, m->message_id);
	f->end[TRAITS_SENDER] = f->n;
	body.domain = r.domain;
	body.name = r.name;
	body.subject_n = r.subject_n;
	memcpy(body.subject, r.subject, sizeof body.subject);
	struct span text = {m->text.at, m->text.size < TRAITS_TEXT ? m->text.size : TRAITS_TEXT};
	text.size = traits_without_footer(text);
	traits_read_body(&body, text);
	f->n = f->n < TRAITS_MAX - TRAITS_LOOKS ? f->n : TRAITS_MAX - TRAITS_LOOKS;
	f->end[TRAITS_BODY] = f->n;
	for (uint32_t i = 0; i < f->looks_n; i++)
		traits_add(f, f->look[i]);
	f->looks_n = f->n - f->end[TRAITS_BODY];
	f->end[TRAITS_LOOK] = f->n;
}
