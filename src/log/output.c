#include "log/output.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "base/utf8.h"
#include "log/file.h"
#include "log/parts.h"
#include "loop/loop.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct line {
	struct list link;
	struct output_line shown; /* points into what follows, and to its worker's name */
	char room[];
};

struct ring { /* of one worker */
	char *worker;
	struct list lines; /* oldest first */
	size_t line_n, bytes;
	struct log_file *file; /* NULL: no files */
	UT_hash_handle hh;
};

struct outputs {
	struct loop *loop;
	char *directory;
	struct ring *rings;
	struct list followers;
};

const char *output_stream_word(enum output_stream s)
{
	static const char *const words[] = {"stdout", "stderr", "log"};
	return words[s];
}

/* What a worker prints may be anything; what we show is UTF-8. */
static void add_shown(struct buf *out, struct bytes text)
{
	if (utf8_valid(text)) {
		buf_add(out, text.data, text.size);
		return;
	}
	const char *end = text.data + text.size;
	for (const char *at = text.data; at < end;) {
		unsigned n = utf8_length(at, end);
		buf_add(out, n ? at : "\xef\xbf\xbd", n ? n : 3); /* U+FFFD */
		at += n ? n : 1;
	}
}

void output_format(const struct output_line *line, struct buf *out)
{
	char when[RFC3339_SIZE];
	rfc3339_format(line->at_ms, when);
	buf_format(out, "%s %s %s ", when, line->instance, output_stream_word(line->stream));
	add_shown(out, line->text);
	buf_add(out, "\n", 1);
}

struct loop *outputs_loop(struct outputs *o)
{
	return o->loop;
}

enum errcode outputs_new(struct loop *l, const char *directory, struct outputs **out, struct err *e)
{
	if (directory && path_make_directory(directory, 0700, e) != E_OK)
		return e ? e->code : E_IO;
	struct outputs *o = NEW(struct outputs);
	o->loop = l;
	o->directory = mem_text(directory);
	list_init(&o->followers);
	*out = o;
	return E_OK;
}

static void drop_oldest(struct ring *r)
{
	struct line *l = container_of(r->lines.next, struct line, link);
	list_remove(&l->link);
	r->line_n--;
	r->bytes -= l->shown.text.size;
	free(l);
}

static void ring_free(struct outputs *o, struct ring *r)
{
	HASH_DEL(o->rings, r);
	while (r->line_n)
		drop_oldest(r);
	log_file_close(r->file);
	free(r->worker);
	free(r);
}

void outputs_free(struct outputs *o)
{
	if (!o)
		return;
	struct ring *r, *next;
	HASH_ITER(hh, o->rings, r, next)
	ring_free(o, r);
	free(o->directory);
	free(o);
}

static struct ring *find(struct outputs *o, const char *worker)
{
	struct ring *r;
	HASH_FIND_STR(o->rings, worker, r);
	return r;
}

static struct ring *ring_of(struct outputs *o, const char *worker)
{
	struct ring *r = find(o, worker);
	if (r)
		return r;
	r = NEW(struct ring);
	r->worker = mem_text(worker);
	list_init(&r->lines);
	if (o->directory)
		r->file = log_file_open(o->loop, o->directory, worker);
	HASH_ADD_KEYPTR(hh, o->rings, r->worker, strlen(r->worker), r);
	return r;
}

static struct line *line_new(const struct ring *r, const char *instance, struct bytes text, bool cut)
{
	size_t name = strlen(instance) + 1, mark = cut ? strlen(OUTPUT_CUT) : 0;
	struct line *l = mem_new(sizeof *l + name + text.size + mark + 1);
	memcpy(l->room, instance, name);
	memcpy(l->room + name, text.data, text.size);
	memcpy(l->room + name + text.size, OUTPUT_CUT, mark);
	l->shown =
		(struct output_line){.worker = r->worker, .instance = l->room, .text = {l->room + name, text.size + mark}};
	return l;
}

static void to_file(struct ring *r, const struct output_line *shown)
{
	scoped(buf_fini) struct buf b = {0};
	output_format(shown, &b);
	log_file_add(r->file, buf_bytes(&b));
}

static void add(struct outputs *o, struct ring *r, const char *instance, enum output_stream stream, struct bytes text)
{
	bool cut = text.size > OUTPUT_LINE_MAX;
	if (cut)
		text.size = OUTPUT_LINE_MAX;
	struct line *l = line_new(r, instance, text, cut);
	l->shown.at_ms = loop_now_ms(o->loop);
	l->shown.stream = stream;
	list_append(&r->lines, &l->link);
	r->line_n++;
	r->bytes += l->shown.text.size;
	while (r->line_n > OUTPUT_LINES || (r->bytes > OUTPUT_BYTES && r->line_n > 1))
		drop_oldest(r);
	if (r->file)
		to_file(r, &l->shown);
	list_each(&o->followers, at)
	{
		struct output_follower *f = container_of(at, struct output_follower, link);
		if (!f->worker || strcmp(f->worker, r->worker) == 0)
			f->line(f->context, &l->shown);
	}
}

void output_line(
	struct outputs *o, const char *worker, const char *instance, enum output_stream stream, struct bytes text)
{
	struct ring *r = ring_of(o, worker);
	const char *end = text.data + text.size, *at = text.data;
	do {
		const char *stop = text.size ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		const char *to = stop ? stop : end;
		add(o, r, instance, stream, (struct bytes){at, (size_t)(to - at)});
		at = stop ? stop + 1 : end;
	} while (at < end);
}

static void tail_of(const struct ring *r, unsigned lines, struct list **from)
{
	struct list *at = (struct list *)&r->lines;
	for (unsigned n = 0; n < lines && at->prev != &r->lines; n++)
		at = at->prev;
	*from = at;
}

static void tail_all(
	struct outputs *o, unsigned lines, void (*visit)(void *context, const struct output_line *line), void *context);

void output_tail(struct outputs *o, const char *worker, unsigned lines,
	void (*visit)(void *context, const struct output_line *line), void *context)
{
	if (!worker) {
		tail_all(o, lines, visit, context);
		return;
	}
	struct ring *r = find(o, worker);
	struct list *at;
	if (!r || !lines)
		return;
	for (tail_of(r, lines, &at); at != &r->lines; at = at->next)
		visit(context, &container_of(at, struct line, link)->shown);
}

static int by_time(const void *a, const void *b)
{
	const struct output_line *x = *(const struct output_line *const *)a, *y = *(const struct output_line *const *)b;
	return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static void tail_all(
	struct outputs *o, unsigned lines, void (*visit)(void *context, const struct output_line *line), void *context)
{
	size_t n = 0, room = 0;
	struct ring *r, *next;
	HASH_ITER(hh, o->rings, r, next)
	room += r->line_n < lines ? r->line_n : lines;
	const struct output_line **all = mem_new((room + 1) * sizeof *all);
	HASH_ITER(hh, o->rings, r, next)
	{
		struct list *at;
		for (tail_of(r, lines, &at); lines && at != &r->lines; at = at->next)
			all[n++] = &container_of(at, struct line, link)->shown;
	}
	qsort(all, n, sizeof *all, by_time);
	for (size_t i = n > lines ? n - lines : 0; i < n; i++)
		visit(context, all[i]);
	free(all);
}

/* As much of it as is UTF-8; other bytes and control characters become '?'. */
static void add_clean(struct buf *b, struct bytes text)
{
	const char *at = text.data, *end = text.data + text.size;
	while (at < end) {
		unsigned n = utf8_length(at, end);
		if (n == 0 || (n == 1 && (unsigned char)*at < 0x20 && *at != '\t'))
			buf_add(b, "?", 1);
		else
			buf_add(b, at, n);
		at += n ? n : 1;
	}
}

static void last_of(
	const struct ring *r, const char *instance, enum output_stream stream, unsigned lines, struct buf *b)
{
	const struct line *found[16];
	unsigned n = 0;
	for (struct list *at = r->lines.prev; at != &r->lines && n < lines && n < ARRAY_SIZE(found); at = at->prev) {
		const struct line *l = container_of(at, struct line, link);
		if (l->shown.stream == stream && strcmp(l->shown.instance, instance) == 0 && l->shown.text.size)
			found[n++] = l;
	}
	while (n--) {
		struct bytes text = found[n]->shown.text;
		text.size = text.size > 512 ? 512 : text.size;
		add_clean(b, text);
		buf_text(b, n ? " | " : "");
	}
}

void output_last(struct outputs *o, const char *worker, const char *instance, unsigned lines, char *into, size_t size)
{
	scoped(buf_fini) struct buf b = {0};
	struct ring *r = find(o, worker);
	if (r)
		last_of(r, instance, OUTPUT_STDERR, lines, &b);
	if (r && b.size == 0)
		last_of(r, instance, OUTPUT_STDOUT, lines, &b);
	size_t n = b.size < size ? b.size : size - 1;
	while (n && n < b.size && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	if (n)
		memcpy(into, b.data, n);
	into[n] = 0;
}

void output_last_lines(struct outputs *o, const char *worker, const char *instance, struct buf *out)
{
	const struct line *found[OUTPUT_LAST_LINES];
	size_t n = 0, bytes = 0;
	struct ring *r = find(o, worker);
	for (struct list *at = r ? r->lines.prev : NULL; r && at != &r->lines && n < OUTPUT_LAST_LINES; at = at->prev) {
		const struct line *l = container_of(at, struct line, link);
		if (strcmp(l->shown.instance, instance) != 0)
			continue;
		size_t size = l->shown.text.size < 512 ? l->shown.text.size : 512;
		if ((bytes += size + 8) > OUTPUT_LAST_BYTES)
			break;
		found[n++] = l;
	}
	while (n--) {
		struct bytes text = found[n]->shown.text;
		text.size = text.size < 512 ? text.size : 512;
		buf_format(out, "%s ", output_stream_word(found[n]->shown.stream));
		add_clean(out, text);
		buf_text(out, "\n");
	}
}

void output_follow(struct outputs *o, struct output_follower *f)
{
	list_append(&o->followers, &f->link);
}

void output_unfollow(struct output_follower *f)
{
	if (f->link.next)
		list_remove(&f->link);
}

void output_forget(struct outputs *o, const char *worker)
{
	struct ring *r = find(o, worker);
	if (r)
		ring_free(o, r);
}
