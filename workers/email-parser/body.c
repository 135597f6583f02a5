#include "reader.h"

#include "text.h"
#include "utf8.h"

#include <reeve/worker.h>

#define READ_MAX (1u << 20) /* decoded bytes of one text part that are looked at, at least */

static int body_take(void *context, const char *s, size_t n)
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

static void body_note(struct reader *r, const struct decode *d)
{
	if (d->truncated)
		reader_damage(r, "base64 is cut off");
	if (d->garbage)
		reader_damage(r, "base64 has other characters in it");
	if (d->failed)
		reader_damage(r, "the content of a part could not be read");
}

static void body_add(struct reader *r, const char *s, size_t n)
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

static void body_text_part(struct reader *r, GMimePart *part, bool html)
{
	const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
	struct decode d = {.unquote = r->unquote};
	struct text_trouble trouble = {0};
	int rc;

	buf_cut(&r->raw, 0);
	buf_cut(&r->converted, 0);
	buf_cut(&r->reduced, 0);
	rc = decode_part(part, &d, body_take, r);
	r->rc = rc < 0 ? rc : r->rc;
	body_note(r, &d);
	if (!r->raw.n)
		return;
	text_convert(&r->converted, r->raw.data, r->raw.n, charset, &trouble);
	if (trouble.unknown_charset)
		reader_damage(r, "the character set of a text is unknown");
	if (trouble.replaced)
		reader_damage(r, "a text has bytes that its character set does not have");
	if (html && r->converted.n && !html_text_reduce(r->html, &r->reduced, r->converted.data, r->converted.n))
		reader_damage(r, "HTML is too deep or too large: its tags were only cut out");
	const struct buf *text = html ? &r->reduced : &r->converted;
	if (text->n)
		body_add(r, text->data, text->n);
}

static void body_attachment(struct reader *r, GMimePart *part)
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
	body_note(r, &d);
	g_array_append_val(r->message.attachments, a);
}

static bool body_is_html(GMimeObject *o)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);

	return GMIME_IS_PART(o) && type && g_mime_content_type_is_type(type, "text", "html");
}

static void body_leaf(struct reader *r, GMimePart *part, bool skip_html)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
	bool html = body_is_html(GMIME_OBJECT(part)),
		 text = html || !type || g_mime_content_type_is_type(type, "text", "plain");

	if (!text || (disposition && !g_ascii_strcasecmp(disposition, "attachment")) || g_mime_part_get_filename(part))
		body_attachment(r, part);
	else if (!html || !skip_html)
		body_text_part(r, part, html);
}

static void body_walk(struct reader *r, GMimeObject *o, bool skip_html, int depth);

/* The same content in several forms: HTML counts only where no other form gave a text. */
static void body_alternatives(struct reader *r, GMimeMultipart *parts, bool skip_html, int depth)
{
	size_t before = r->message.text.n;
	int n = g_mime_multipart_get_count(parts);

	for (int html = 0; html < 2; html++) {
		for (int i = 0; i < n && !r->rc; i++) {
			GMimeObject *child = g_mime_multipart_get_part(parts, i);
			bool have =
				r->message.text.n > before && !text_is_blank(r->message.text.data + before, r->message.text.n - before);
			if (body_is_html(child) == html)
				body_walk(r, child, skip_html || have, depth + 1);
		}
	}
}

static void body_multipart(struct reader *r, GMimeMultipart *parts, bool skip_html, int depth)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(parts));
	int n = g_mime_multipart_get_count(parts);
	const char *prologue = n ? NULL : g_mime_multipart_get_prologue(parts);

	if (prologue) { /* the boundary never came: what there is, is the text */
		buf_cut(&r->converted, 0);
		text_convert(&r->converted, prologue, strlen(prologue), NULL, &(struct text_trouble){0});
		if (r->converted.n)
			body_add(r, r->converted.data, r->converted.n);
	} else if (type && g_mime_content_type_is_type(type, "multipart", "alternative")) {
		body_alternatives(r, parts, skip_html, depth);
	} else {
		for (int i = 0; i < n && !r->rc; i++)
			body_walk(r, g_mime_multipart_get_part(parts, i), skip_html, depth + 1);
	}
}

static void body_walk(struct reader *r, GMimeObject *o, bool skip_html, int depth)
{
	GMimeMessage *inner = GMIME_IS_MESSAGE_PART(o) ? g_mime_message_part_get_message(GMIME_MESSAGE_PART(o)) : NULL;

	if (depth > MESSAGE_DEPTH_MAX)
		reader_damage(r, "parts are nested too deeply");
	else if (inner && g_mime_message_get_mime_part(inner))
		body_walk(r, g_mime_message_get_mime_part(inner), skip_html, depth + 1);
	else if (GMIME_IS_MULTIPART(o))
		body_multipart(r, GMIME_MULTIPART(o), skip_html, depth);
	else if (GMIME_IS_PART(o))
		body_leaf(r, GMIME_PART(o), skip_html);
}

void body_read(struct reader *r, GMimeObject *root)
{
	body_walk(r, root, false, 0);
}
