#include "pipeline/splice.h"

#include "base/json_span.h"

static void add_member(struct buf *out, bool *first, const struct json_member *m)
{
	buf_text(out, *first ? "\"" : ",\"");
	*first = false;
	buf_add(out, m->key.data, m->key.size); /* still escaped, as it stood there */
	buf_text(out, "\":");
	buf_add(out, m->value.data, m->value.size);
}

static bool has_key(const struct json_member *members, size_t n, struct bytes key)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(members[i].key, key))
			return true;
	return false;
}

bool splice_members(struct buf *out, struct bytes a, struct bytes b)
{
	struct json_member first[SPLICE_MEMBERS_MAX], second[SPLICE_MEMBERS_MAX];
	size_t first_n, second_n;
	if (json_span_members(a, first, SPLICE_MEMBERS_MAX, &first_n, NULL) != E_OK ||
		json_span_members(b, second, SPLICE_MEMBERS_MAX, &second_n, NULL) != E_OK)
		return false;
	bool none_yet = true;
	for (size_t i = 0; i < first_n; i++)
		if (!has_key(second, second_n, first[i].key))
			add_member(out, &none_yet, &first[i]);
	for (size_t i = 0; i < second_n; i++)
		add_member(out, &none_yet, &second[i]);
	return true;
}

void splice_value(struct buf *out, struct bytes text)
{
	if (!text.size)
		buf_text(out, "null");
	else if (json_span_check(text, NULL) == E_OK)
		buf_add(out, text.data, text.size);
	else
		buf_json_utf8(out, text);
}
