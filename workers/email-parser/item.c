#include "item.h"

#include "put.h"
#include "text.h"
#include "utf8.h"

#define SHORT_LIST 8 /* what is kept of lists when even that is too much */

static void item_text(struct buf *out, const char *key, const char *value)
{
	put_key(out, key);
	put_string(out, value);
}

static void item_strings(struct buf *out, const char *key, const GPtrArray *list, guint most)
{
	put_key(out, key);
	put_open(out, '[');
	for (guint i = 0; i < list->len && i < most; i++)
		put_string(out, list->pdata[i]);
	put_close(out, ']');
}

static void item_attachments(struct buf *out, const GArray *list, guint most)
{
	put_key(out, "attachments");
	put_open(out, '[');
	for (guint i = 0; i < list->len && i < most; i++) {
		const struct attachment *a = &g_array_index(list, struct attachment, i);
		const char *name = a->name;
		put_open(out, '{');
		put_key(out, "name");
		put_bytes(out, name, utf8_floor(name, strlen(name), MESSAGE_FIELD_MAX));
		put_key(out, "type");
		put_bytes(out, a->type, utf8_floor(a->type, strlen(a->type), MESSAGE_FIELD_MAX));
		put_key(out, "size");
		put_unsigned(out, a->size);
		item_text(out, "sha256", a->sha256);
		if (*a->blob)
			item_text(out, "blob", a->blob);
		put_close(out, '}');
	}
	put_close(out, ']');
}

static void item_matches(struct buf *out, const struct item_view *view)
{
	put_key(out, "matched_keywords");
	put_open(out, '[');
	for (size_t i = 0; i < view->keywords->n; i++)
		if (view->found[i])
			put_string(out, view->keywords->given[i]);
	put_close(out, ']');
	put_key(out, "is_receipt");
	put_bool(out, view->matched > 0);
}

static void item_body(struct buf *out, const struct message *m, const struct item_view *view, size_t most)
{
	const char *text = m->text.n ? m->text.data : "";
	struct buf snippet = {0};

	text_snippet(&snippet, text, m->text.n, view->snippet_length);
	put_key(out, "text");
	put_bytes(out, text, utf8_floor(text, m->text.n, most));
	if (m->text_truncated || m->text.n > most) {
		put_key(out, "text_truncated");
		put_bool(out, true);
	}
	put_key(out, "snippet");
	put_bytes(out, snippet.data ? snippet.data : "", snippet.n);
	put_key(out, "body_length");
	put_unsigned(out, m->characters);
	out->failed |= snippet.failed;
	buf_fini(&snippet);
}

static void item_attempt(
	struct buf *out, const struct message *m, const struct item_view *view, size_t text, guint list)
{
	buf_cut(out, 0);
	put_open(out, '{');
	put_key(out, "key");
	put_unsigned(out, view->key);
	item_text(out, "message_id", m->id);
	item_text(out, "from", m->from);
	item_text(out, "from_address", m->from_address);
	item_strings(out, "to", m->to, list);
	item_strings(out, "cc", m->cc, list);
	item_text(out, "date", *m->date ? m->date : NULL);
	item_text(out, "subject", m->subject);
	item_body(out, m, view, text);
	put_key(out, "size");
	put_unsigned(out, m->size);
	item_attachments(out, m->attachments, list);
	item_matches(out, view);
	if (m->damaged->len)
		item_strings(out, "damaged", m->damaged, G_MAXUINT);
	put_close(out, '}');
}

bool item_write(struct buf *out, const struct message *m, const struct item_view *view)
{
	size_t text = m->text.n;

	item_attempt(out, m, view, text, G_MAXUINT);
	while (!out->failed && out->n > ITEM_MAX && text) {
		text = text > 4096 ? text / 2 : 0;
		item_attempt(out, m, view, text, G_MAXUINT);
	}
	if (!out->failed && out->n > ITEM_MAX)
		item_attempt(out, m, view, 0, SHORT_LIST);
	return !out->failed;
}
