#include "message.h"

#include "guard.h"
#include "header.h"
#include "reader.h"

#include <reeve/worker.h>

void reader_damage(struct reader *r, const char *what)
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
	if (((struct reader *)context)->headers_only) /* we cut it ourselves */
		return;
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

/* Decides how much of the message gmime may see: all, the header, or nothing. */
static uint64_t reader_extent(struct reader *r, const struct mbox *m, const struct mbox_span *s)
{
	uint64_t end = s->end;
	struct guard guard;
	const char *bytes, *why;

	if (s->header_cut) {
		reader_damage(r, "the header is larger than 256 KiB: it was cut, and the body not read");
		end = s->header_end;
	} else if (s->end - s->start > r->limits.max_message_bytes) {
		reader_damage(r, "the message is larger than max_message_bytes: only the header was read");
		end = s->header_end;
	}
	guard_init(&guard);
	bytes = mbox_bytes(m, s->start, end);
	if (bytes)
		guard_feed(&guard, bytes, (size_t)(end - s->start));
	else if (guard_read(&guard, m->fd, s->start, end))
		reader_damage(r, "the message could not be read to its end");
	why = guard_verdict(&guard);
	if (why)
		reader_damage(r, why);
	end = guard.nested_in_header ? s->start : why ? s->header_end : end;
	r->headers_only = end < s->end;
	return end;
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
		body_read(r, g_mime_message_get_mime_part(message));
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
