#include "http/internal.h"

#include "base/utf8.h"

#include <ctype.h>

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* In place: decoding never makes a text longer. A '%' that begins no escape stands for itself. */
static struct bytes decode(char *text, size_t size, bool plus_is_blank)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		if (c == '%' && i + 2 < size && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
			c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		text[n++] = c;
	}
	text[n] = 0; /* over the separator, or the final NUL */
	return (struct bytes){text, n};
}

static bool good(struct bytes t)
{
	return utf8_valid(t) && (t.size == 0 || !memchr(t.data, 0, t.size));
}

static bool split_query(struct http_request *r, char *at, struct err *e)
{
	while (at && *at) {
		char *next = strchr(at, '&');
		size_t size = next ? (size_t)(next - at) : strlen(at);
		char *equals = memchr(at, '=', size);
		if (size && r->query_n == REQUEST_QUERY_MAX) {
			err_set(e, E_INVALID, "the URL has more than %d query parameters", REQUEST_QUERY_MAX);
			return false;
		}
		if (size) {
			struct pair *p = &r->query[r->query_n++];
			/* the value first: the name's NUL goes where '=' stands */
			p->value = equals ? decode(equals + 1, size - (size_t)(equals + 1 - at), true) : (struct bytes){"", 0};
			p->name = decode(at, equals ? (size_t)(equals - at) : size, true);
			if (!good(p->name) || !good(p->value)) {
				err_set(e, E_INVALID, "query parameter %u is not UTF-8 without NUL when decoded", r->query_n);
				return false;
			}
		}
		at = next ? next + 1 : NULL;
	}
	return true;
}

bool uri_split(struct http_request *r, struct err *e)
{
	if (strlen(r->uri) > REQUEST_URI_MAX) {
		err_set(e, E_TOO_LARGE, "the URL has %zu bytes; at most %d are taken", strlen(r->uri), REQUEST_URI_MAX);
		return false;
	}
	char *mark = strchr(r->uri, '?');
	r->uri_size = mark ? (size_t)(mark - r->uri) : strlen(r->uri);
	if (mark)
		*mark = 0;
	if (!split_query(r, mark ? mark + 1 : NULL, e))
		return false;
	struct bytes path = {r->uri, r->uri_size};
	if (!utf8_valid(path)) {
		err_set(e, E_INVALID, "the URL's path is not UTF-8");
		return false;
	}
	return true;
}

struct bytes uri_decode_segment(char *text, size_t size)
{
	struct bytes t = decode(text, size, false);
	return good(t) ? t : (struct bytes){NULL, 0};
}
