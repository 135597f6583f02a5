#include "html_text.h"

#include "utf8.h"

#include <gumbo.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#define CHUNK (256u << 10)

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(16) char data[];
};

struct html_text {
	struct chunk *first, *current;
	size_t total;
	jmp_buf full; /* gumbo cannot be told that there is no memory; with an arena nothing is lost by leaving it */
};

struct render {
	struct buf *out;
	size_t from; /* where our text begins */
	bool space; /* white space is waiting */
	unsigned pre;
};

struct html_text *html_text_new(void)
{
	return calloc(1, sizeof(struct html_text));
}

/* Keeps the first chunk for the next document. */
static void html_text_reset(struct html_text *h, bool all)
{
	struct chunk *keep = all ? NULL : h->first;

	for (struct chunk *c = h->first, *next; c; c = next) {
		next = c->next;
		if (c != keep)
			free(c);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	h->first = h->current = keep;
	h->total = 0;
}

void html_text_free(struct html_text *h)
{
	if (!h)
		return;
	html_text_reset(h, true);
	free(h);
}

static void *html_text_allocate(void *context, size_t size)
{
	struct html_text *h = context;
	struct chunk *c = h->current;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;
		if (size > HTML_TEXT_MEMORY_MAX || h->total + room > HTML_TEXT_MEMORY_MAX)
			longjmp(h->full, 1);
		c = malloc(sizeof *c + room);
		if (!c)
			longjmp(h->full, 1);
		*c = (struct chunk){.size = room};
		if (h->current)
			h->current->next = c;
		else
			h->first = c;
		h->current = c;
		h->total += room;
	}
	c->used += size;
	return c->data + c->used - size;
}

static void html_text_deallocate(void *context, void *memory)
{
	/* All at once, by html_text_reset. */
}

static void render_newline(struct render *r)
{
	r->space = false;
	if (r->out->n > r->from && r->out->data[r->out->n - 1] != '\n')
		buf_char(r->out, '\n');
}

static void render_text(struct render *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		bool nbsp = i + 1 < n && (unsigned char)s[i] == 0xc2 && (unsigned char)s[i + 1] == 0xa0;
		bool white = nbsp || s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
		if (white && r->pre) {
			if (s[i] != '\r')
				buf_char(r->out, nbsp ? ' ' : s[i]);
		} else if (white) {
			r->space = true;
		}
		if (white) {
			i += nbsp ? 2 : 1;
			continue;
		}
		if (r->space && r->out->n > r->from && r->out->data[r->out->n - 1] != '\n')
			buf_char(r->out, ' ');
		r->space = false;
		size_t from = i++;
		while (i < n && (unsigned char)s[i] > ' ' && (unsigned char)s[i] != 0xc2)
			i++;
		buf_add(r->out, s + from, i - from);
	}
}

static bool render_is_block(GumboTag tag)
{
	static const GumboTag blocks[] = {GUMBO_TAG_P, GUMBO_TAG_DIV, GUMBO_TAG_BR, GUMBO_TAG_TR, GUMBO_TAG_TABLE,
		GUMBO_TAG_LI, GUMBO_TAG_UL, GUMBO_TAG_OL, GUMBO_TAG_H1, GUMBO_TAG_H2, GUMBO_TAG_H3, GUMBO_TAG_H4, GUMBO_TAG_H5,
		GUMBO_TAG_H6, GUMBO_TAG_BLOCKQUOTE, GUMBO_TAG_PRE, GUMBO_TAG_HR, GUMBO_TAG_DL, GUMBO_TAG_DT, GUMBO_TAG_DD,
		GUMBO_TAG_CENTER, GUMBO_TAG_FORM, GUMBO_TAG_FIELDSET, GUMBO_TAG_SECTION, GUMBO_TAG_ARTICLE, GUMBO_TAG_HEADER,
		GUMBO_TAG_FOOTER, GUMBO_TAG_ADDRESS, GUMBO_TAG_CAPTION, GUMBO_TAG_BODY};

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (blocks[i] == tag)
			return true;
	return false;
}

static bool render_is_hidden(GumboTag tag)
{
	return tag == GUMBO_TAG_SCRIPT || tag == GUMBO_TAG_STYLE || tag == GUMBO_TAG_HEAD || tag == GUMBO_TAG_TITLE ||
		   tag == GUMBO_TAG_TEMPLATE || tag == GUMBO_TAG_NOSCRIPT || tag == GUMBO_TAG_OBJECT || tag == GUMBO_TAG_IFRAME;
}

static const char *render_attribute(const GumboElement *e, const char *name)
{
	GumboAttribute *a = gumbo_get_attribute(&e->attributes, name);

	return a ? a->value : NULL;
}

static void render_enter(struct render *r, const GumboElement *e)
{
	const char *alt = e->tag == GUMBO_TAG_IMG ? render_attribute(e, "alt") : NULL;

	if (render_is_block(e->tag))
		render_newline(r);
	if (e->tag == GUMBO_TAG_TD || e->tag == GUMBO_TAG_TH)
		r->space = true;
	r->pre += e->tag == GUMBO_TAG_PRE;
	if (alt)
		render_text(r, alt, strlen(alt));
}

static void render_leave(struct render *r, const GumboElement *e, size_t began)
{
	const char *href = e->tag == GUMBO_TAG_A ? render_attribute(e, "href") : NULL;
	bool web = href && (!strncasecmp(href, "http", 4) || !strncasecmp(href, "mailto:", 7));

	r->pre -= e->tag == GUMBO_TAG_PRE;
	if (web && !(r->out->n > began && memmem(r->out->data + began, r->out->n - began, href, strlen(href)))) {
		r->space = true;
		render_text(r, "(", 1);
		render_text(r, href, strlen(href));
		render_text(r, ")", 1);
	}
	if (render_is_block(e->tag))
		render_newline(r);
}

struct place {
	const GumboNode *node;
	unsigned child;
	size_t began; /* where its text begins */
};

/* Without recursion: the depth is the sender's choice, the stack is ours. */
static void render_tree(struct render *r, struct html_text *h, const GumboNode *root)
{
	struct place *stack = html_text_allocate(h, sizeof *stack * (HTML_TEXT_DEPTH_MAX + 64));
	size_t depth = 0;

	stack[depth++] = (struct place){.node = root};
	while (depth) {
		struct place *p = &stack[depth - 1];
		const GumboElement *e = &p->node->v.element;
		if (p->child == e->children.length) {
			render_leave(r, e, p->began);
			depth--;
			continue;
		}
		const GumboNode *child = e->children.data[p->child++];
		if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE || child->type == GUMBO_NODE_CDATA) {
			render_text(r, child->v.text.text, strlen(child->v.text.text));
		} else if (child->type == GUMBO_NODE_ELEMENT && !render_is_hidden(child->v.element.tag) &&
				   depth < HTML_TEXT_DEPTH_MAX + 64) {
			render_enter(r, &child->v.element);
			stack[depth++] = (struct place){.node = child, .began = r->out->n};
		}
	}
}

/* The length of the tag name at s, its hash, and whether such an element can stay open: void elements and those that close
 * each other do not make a document deep. */
static size_t html_text_tag(const char *s, size_t n, unsigned *hash, bool *stays)
{
	static const char *const flat[] = {"br", "img", "hr", "p", "li", "td", "tr", "th", "meta", "link", "input",
		"option", "dd", "dt", "area", "param", "col", "wbr", "base", "embed"};
	size_t length = 0;

	*hash = 5381;
	for (; length < n && s[length] != '>' && s[length] != '/' && (unsigned char)s[length] > ' '; length++)
		*hash = (*hash * 33 + (unsigned char)(s[length] | 32)) & 0xffffff;
	*stays = length > 0;
	for (size_t i = 0; i < sizeof flat / sizeof *flat; i++)
		*stays &= !(strlen(flat[i]) == length && !strncasecmp(s, flat[i], length));
	return length;
}

/* Could the tag that goes on at s have more than HTML_TEXT_ATTRIBUTES_MAX attributes? *read: how far that was to see. */
static bool html_text_is_wide(const char *s, size_t n, size_t *read)
{
	unsigned attributes = 0;
	size_t i = 0;

	for (; i < n && s[i] != '>' && attributes <= HTML_TEXT_ATTRIBUTES_MAX; i++) {
		attributes += s[i] == '=' || s[i] == '/' || (unsigned char)s[i] <= ' ';
		if (s[i] != '=')
			continue;
		while (i + 1 < n && (unsigned char)s[i + 1] <= ' ')
			i++;
		const char *quote = i + 1 < n && (s[i + 1] == '"' || s[i + 1] == '\'') ? s + i + 1 : NULL;
		const char *end = quote ? memchr(quote + 1, *quote, n - i - 2) : NULL;
		i = end ? (size_t)(end - s) : i;
	}
	*read = i;
	return attributes > HTML_TEXT_ATTRIBUTES_MAX;
}

/* Would this take gumbo minutes? It looks along all open elements, and along all attributes of a tag, again and again. Tags
 * are looked at one by one even where they stand in a comment: being careful there only costs the form of a text. */
static bool html_text_is_hostile(const char *s, size_t n)
{
	unsigned open[256] = {0}, depth = 0;
	size_t effort = 0, read;

	for (size_t i = 0; i + 2 < n; i++) {
		const char *bracket = memchr(s + i, '<', n - i - 2);
		unsigned tag;
		bool stays, closes;
		if (!bracket)
			break;
		i = (size_t)(bracket - s);
		closes = s[i + 1] == '/';
		if (!closes && !((s[i + 1] | 32) >= 'a' && (s[i + 1] | 32) <= 'z'))
			continue;
		i += 1 + closes;
		i += html_text_tag(s + i, n - i, &tag, &stays);
		if (html_text_is_wide(s + i, n - i, &read))
			return true;
		effort += read;
		if (!closes && stays) {
			open[tag & 255]++;
			depth++;
		} else if (closes && open[tag & 255]) {
			open[tag & 255]--;
			depth--;
		}
		if (depth > HTML_TEXT_DEPTH_MAX || effort > 16 * n + 65536)
			return true;
		i--; /* the loop steps over it */
	}
	return false;
}

static void html_text_strip(struct render *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *open = memchr(s + i, '<', n - i), *close;
		size_t run = open ? (size_t)(open - s) : n;
		render_text(r, s + i, run - i);
		close = open ? memchr(open, '>', n - run) : NULL;
		r->space = true;
		if (!close)
			break;
		i = (size_t)(close + 1 - s);
	}
}

bool html_text_reduce(struct html_text *h, struct buf *out, const char *html, size_t n)
{
	GumboOptions options = kGumboDefaultOptions;
	struct render r = {.out = out, .from = out->n};
	volatile bool whole = !html_text_is_hostile(html, n);

	options.allocator = html_text_allocate;
	options.deallocator = html_text_deallocate;
	options.userdata = h;
	options.max_errors = 0;
	if (whole && !setjmp(h->full)) {
		const GumboOutput *tree = gumbo_parse_with_options(&options, html, n);
		render_tree(&r, h, tree->root);
	} else {
		whole = false;
		buf_cut(out, r.from);
		r = (struct render){.out = out, .from = out->n};
		html_text_strip(&r, html, n);
	}
	html_text_reset(h, false);
	return whole;
}
