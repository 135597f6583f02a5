#include "message.h"

#include "guard.h"
#include "header.h"
#include "html_text.h"
#include "text.h"
#include "utf8.h"

#include <reeve/worker.h>

#define READ_MAX (1u << 20) /* decoded bytes of one text part that are looked at, at least */

struct reader {
	struct message_limits limits;
	const struct host *host;
	GMimeParser *parser;
	GMimeParserOptions *options;
	struct html_text *html;
	struct message message;
	struct buf raw, converted, reduced; /* of the part that is being read */
	bool unquote;
	bool headers_only;
	int rc; /* why the job cannot go on */
};

static void reader_damage(struct reader *r, const char *what)
{
	GPtrArray *list = r->message.damaged;

	for (guint i = 0; i < list->len; i++)
		if (!strcmp(list->pdata[i], what))
			return;
	if (list->len < MESSAGE_DAMAGED_MAX)
		g_ptr_array_add(list, g_strdup(what));
}

/* gmime's own findings. What is merely untidy (8-bit headers, repeated fields) is no damage. */
static void reader_warned(gint64 offset, GMimeParserWarning code, const gchar *item, gpointer context)
{
	switch ((int)code) {
	case GMIME_WARN_MALFORMED_MULTIPART:
		reader_damage(context, "a multipart has no parts");
		break;
	case GMIME_WARN_TRUNCATED_MESSAGE:
		reader_damage(context, "the message ends before its parts do");
		break;
	case GMIME_WARN_MALFORMED_MESSAGE:
		reader_damage(context, "the header is malformed");
		break;
	case GMIME_CRIT_INVALID_HEADER_NAME:
		reader_damage(context, "a header line has no field name");
		break;
	case GMIME_CRIT_MULTIPART_WITHOUT_BOUNDARY:
		reader_damage(context, "a multipart names no boundary");
		break;
	case GMIME_CRIT_NESTING_OVERFLOW:
		reader_damage(context, "parts are nested too deeply");
		break;
	case GMIME_CRIT_PART_WITHOUT_HEADERS_OR_CONTENT:
		reader_damage(context, "a part is empty");
		break;
	}
}

struct reader *reader_new(const struct message_limits *limits, const struct host *host)
{
	/* Not the C library's locale: the same mail must read the same everywhere. */
	static const char *fallback[] = {"utf-8", "windows-1252", NULL};
	struct reader *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->limits = *limits;
	r->host = host;
	r->html = html_text_new();
	r->parser = g_mime_parser_new();
	g_mime_parser_set_persist_stream(r->parser, TRUE);
	g_mime_parser_set_format(r->parser, GMIME_FORMAT_MESSAGE);
	r->options = g_mime_parser_options_new();
	g_mime_parser_options_set_fallback_charsets(r->options, fallback);
	g_mime_parser_options_set_warning_callback(r->options, reader_warned, r);
	r->message.to = g_ptr_array_new_with_free_func(g_free);
	r->message.cc = g_ptr_array_new_with_free_func(g_free);
	r->message.damaged = g_ptr_array_new_with_free_func(g_free);
	r->message.attachments = g_array_new(FALSE, FALSE, sizeof(struct attachment));
	g_array_set_clear_func(r->message.attachments, (GDestroyNotify)attachment_fini);
	if (r->html)
		return r;
	reader_free(r);
	return NULL;
}

static void reader_clear(struct message *m)
{
	g_free(m->id);
	g_free(m->from);
	g_free(m->from_address);
	g_free(m->subject);
	m->id = m->from = m->from_address = m->subject = NULL;
	m->date[0] = '\0';
	m->instant = 0;
	m->text_truncated = false;
	m->characters = m->size = 0;
	buf_cut(&m->text, 0);
	g_ptr_array_set_size(m->to, 0);
	g_ptr_array_set_size(m->cc, 0);
	g_ptr_array_set_size(m->damaged, 0);
	g_array_set_size(m->attachments, 0);
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	reader_clear(&r->message);
	g_ptr_array_unref(r->message.to);
	g_ptr_array_unref(r->message.cc);
	g_ptr_array_unref(r->message.damaged);
	g_array_unref(r->message.attachments);
	buf_fini(&r->message.text);
	buf_fini(&r->raw);
	buf_fini(&r->converted);
	buf_fini(&r->reduced);
	g_mime_parser_options_free(r->options);
	g_object_unref(r->parser);
	html_text_free(r->html);
	free(r);
}

static int reader_take_text(void *context, const char *s, size_t n)
{
	struct reader *r = context;
	size_t most = r->limits.max_text * 4 > READ_MAX ? r->limits.max_text * 4 : READ_MAX;

	if (r->host->cancelled && r->host->cancelled(r->host->context))
		return REEVE_E_CANCELLED;
	if (r->raw.n + n > most) {
		r->message.text_truncated = true;
		n = most - r->raw.n;
	}
	buf_add(&r->raw, s, n);
	return r->raw.n == most && r->message.text_truncated ? 1 : 0; /* 1: enough */
}

static void reader_note(struct reader *r, const struct decode *d)
{
	if (d->truncated)
		reader_damage(r, "base64 is cut off");
	if (d->garbage)
		reader_damage(r, "base64 has other characters in it");
	if (d->failed)
		reader_damage(r, "the content of a part could not be read");
}

static void reader_add_text(struct reader *r, const char *s, size_t n)
{
	struct message *m = &r->message;
	size_t room;

	while (n && s[n - 1] == '\n')
		n--;
	if (!n)
		return;
	m->characters += utf8_count(s, n) + (m->text.n > 0);
	if (m->text.n && m->text.n < r->limits.max_text)
		buf_char(&m->text, '\n');
	room = r->limits.max_text - m->text.n;
	m->text_truncated |= n > room;
	buf_add(&m->text, s, utf8_floor(s, n, room));
}

static void reader_text_part(struct reader *r, GMimePart *part, bool html)
{
	const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
	struct decode d = {.unquote = r->unquote};
	struct text_trouble trouble = {0};
	int rc;

	buf_cut(&r->raw, 0);
	buf_cut(&r->converted, 0);
	buf_cut(&r->reduced, 0);
	rc = decode_part(part, &d, reader_take_text, r);
	r->rc = rc < 0 ? rc : r->rc;
	reader_note(r, &d);
	if (!r->raw.n)
		return;
	text_convert(&r->converted, r->raw.data, r->raw.n, charset, &trouble);
	if (trouble.unknown_charset)
		reader_damage(r, "the character set of a text is unknown");
	if (trouble.replaced)
		reader_damage(r, "a text has bytes that its character set does not have");
	if (html && r->converted.n && !html_text_reduce(r->html, &r->reduced, r->converted.data, r->converted.n))
		reader_damage(r, "HTML is nested too deeply");
	const struct buf *text = html ? &r->reduced : &r->converted;
	if (text->n)
		reader_add_text(r, text->data, text->n);
}

static void reader_attachment(struct reader *r, GMimePart *part)
{
	struct decode d = {.unquote = r->unquote};
	struct attachment a;
	int rc;

	if (r->limits.attachments == ATTACHMENT_NONE)
		return;
	if (r->message.attachments->len >= MESSAGE_ATTACHMENTS_MAX) {
		reader_damage(r, "more than 256 attachments: the rest is left out");
		return;
	}
	rc = attachment_read(&a, part, r->limits.attachments, r->host, &d);
	if (rc) {
		r->rc = rc;
		return;
	}
	reader_note(r, &d);
	g_array_append_val(r->message.attachments, a);
}

static bool reader_is_html(GMimeObject *o)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);

	return GMIME_IS_PART(o) && type && g_mime_content_type_is_type(type, "text", "html");
}

static void reader_leaf(struct reader *r, GMimePart *part, bool skip_html)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
	bool html = reader_is_html(GMIME_OBJECT(part)),
		 text = html || !type || g_mime_content_type_is_type(type, "text", "plain");

	if (!text || (disposition && !g_ascii_strcasecmp(disposition, "attachment")) || g_mime_part_get_filename(part))
		reader_attachment(r, part);
	else if (!html || !skip_html)
		reader_text_part(r, part, html);
}

static void reader_walk(struct reader *r, GMimeObject *o, bool skip_html, int depth);

/* The same content in several forms: HTML counts only where no other form gave a text. */
static void reader_alternatives(struct reader *r, GMimeMultipart *parts, bool skip_html, int depth)
{
	size_t before = r->message.text.n;
	int n = g_mime_multipart_get_count(parts);

	for (int html = 0; html < 2; html++) {
		for (int i = 0; i < n && !r->rc; i++) {
			GMimeObject *child = g_mime_multipart_get_part(parts, i);
			bool have =
				r->message.text.n > before && !text_is_blank(r->message.text.data + before, r->message.text.n - before);
			if (reader_is_html(child) == html)
				reader_walk(r, child, skip_html || have, depth + 1);
		}
	}
}

static void reader_multipart(struct reader *r, GMimeMultipart *parts, bool skip_html, int depth)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(parts));
	int n = g_mime_multipart_get_count(parts);
	const char *prologue = n ? NULL : g_mime_multipart_get_prologue(parts);

	if (prologue) { /* the boundary never came: what there is, is the text */
		buf_cut(&r->converted, 0);
		text_convert(&r->converted, prologue, strlen(prologue), NULL, &(struct text_trouble){0});
		if (r->converted.n)
			reader_add_text(r, r->converted.data, r->converted.n);
	} else if (type && g_mime_content_type_is_type(type, "multipart", "alternative")) {
		reader_alternatives(r, parts, skip_html, depth);
	} else {
		for (int i = 0; i < n && !r->rc; i++)
			reader_walk(r, g_mime_multipart_get_part(parts, i), skip_html, depth + 1);
	}
}

static void reader_walk(struct reader *r, GMimeObject *o, bool skip_html, int depth)
{
	GMimeMessage *inner = GMIME_IS_MESSAGE_PART(o) ? g_mime_message_part_get_message(GMIME_MESSAGE_PART(o)) : NULL;

	if (depth > MESSAGE_DEPTH_MAX)
		reader_damage(r, "parts are nested too deeply");
	else if (inner && g_mime_message_get_mime_part(inner))
		reader_walk(r, g_mime_message_get_mime_part(inner), skip_html, depth + 1);
	else if (GMIME_IS_MULTIPART(o))
		reader_multipart(r, GMIME_MULTIPART(o), skip_html, depth);
	else if (GMIME_IS_PART(o))
		reader_leaf(r, GMIME_PART(o), skip_html);
}

/* Decides how much of the message gmime may see: all, or the header. */
static uint64_t reader_extent(struct reader *r, const struct mbox *m, const struct mbox_span *s)
{
	const char *bytes = mbox_bytes(m, s->start, s->end), *why;
	struct guard guard;

	guard_init(&guard);
	if (s->header_cut) {
		reader_damage(r, "the header is larger than 256 KiB: it was cut, and the body not read");
		return s->header_end;
	}
	if (s->end - s->start > r->limits.max_message_bytes) {
		reader_damage(r, "the message is larger than max_message_bytes: only the header was read");
		return s->header_end;
	}
	if (bytes)
		guard_feed(&guard, bytes, (size_t)(s->end - s->start));
	else if (guard_read(&guard, m->fd, s->start, s->end))
		reader_damage(r, "the message could not be read to its end");
	why = guard_verdict(&guard);
	if (why)
		reader_damage(r, why);
	return why ? s->header_end : s->end;
}

static void reader_parse(struct reader *r, GMimeStream *stream, bool body)
{
	GMimeMessage *message;

	g_mime_parser_init_with_stream(r->parser, stream);
	message = g_mime_parser_construct_message(r->parser, r->options);
	if (!message) {
		reader_damage(r, "there is no header");
		return;
	}
	header_read(message, &r->message);
	if (g_mime_header_list_get_count(g_mime_object_get_header_list(GMIME_OBJECT(message))) == 0)
		reader_damage(r, "there is no header");
	if (body && g_mime_message_get_mime_part(message))
		reader_walk(r, g_mime_message_get_mime_part(message), false, 0);
	g_object_unref(message);
}

int reader_read(
	struct reader *r, const struct mbox *m, const struct mbox_span *s, const struct message **out, struct fault *f)
{
	uint64_t end;
	const char *bytes;
	GByteArray window;
	GMimeStream *stream;

	reader_clear(&r->message);
	r->rc = 0;
	r->unquote = m->format == MBOX_MBOX;
	r->message.size = s->end - s->start;
	end = reader_extent(r, m, s);
	bytes = mbox_bytes(m, s->start, end);
	window = (GByteArray){.data = (guint8 *)bytes, .len = (guint)(end - s->start)};
	stream = bytes ? g_mime_stream_mem_new_with_byte_array(&window)
				   : g_mime_stream_fs_new_with_bounds(m->fd, (gint64)s->start, (gint64)end);
	if (bytes)
		g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	else
		g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	reader_parse(r, stream, end == s->end);
	g_object_unref(stream);
	if (r->rc)
		return r->rc == REEVE_E_CANCELLED
				   ? r->rc
				   : fault_set(f, r->rc, "PARSING_FAILED", true,
						 "an attachment of the message at byte %llu could not be stored", (unsigned long long)s->at);
	if (r->message.text.failed || r->raw.failed || r->converted.failed || r->reduced.failed)
		return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for the message at byte %llu",
			(unsigned long long)s->at);
	*out = &r->message;
	return 0;
}
