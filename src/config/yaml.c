#include "config/yaml.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "config/config.h"
#include "config/scalar.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct frame { /* an open mapping or sequence */
	json_t *node;
	char *key; /* of a mapping: the key whose value comes next, or NULL */
	struct place at; /* of that key */
	size_t pointer; /* size of the pointer to this node */
};

struct reader {
	const char *name;
	struct places *places;
	struct frame frames[CONFIG_DEPTH_MAX];
	unsigned depth, documents;
	struct buf pointer;
	json_t *root;
	struct err *e;
};

__attribute__((format(printf, 4, 5))) static bool refuse(
	struct reader *r, unsigned line, unsigned column, const char *format, ...)
{
	char text[400];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err_set(r->e, E_INVALID, "%s:%u:%u: %s", r->name, line, column, text);
	return false;
}

static void point_to(struct reader *r, struct frame *f)
{
	r->pointer.size = f->pointer;
	if (!f->key) {
		buf_format(&r->pointer, "/%zu", json_array_size(f->node));
		return;
	}
	buf_text(&r->pointer, "/");
	for (const char *at = f->key; *at; at++) {
		if (*at == '~' || *at == '/')
			buf_text(&r->pointer, *at == '~' ? "~0" : "~1");
		else
			buf_add(&r->pointer, at, 1);
	}
}

/* A value is complete enough to stand in its parent. Takes it. */
static bool put(struct reader *r, json_t *value, struct place at)
{
	struct frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
	if (!f) {
		r->root = value;
		r->pointer.size = 0;
		places_put(r->places, (struct bytes){"", 0}, at);
		return true;
	}
	point_to(r, f);
	if (f->key) {
		at.key_line = f->at.line;
		at.key_column = f->at.column;
	}
	places_put(r->places, buf_bytes(&r->pointer), at);
	int rc = f->key ? json_object_set_new(f->node, f->key, value) : json_array_append_new(f->node, value);
	free(take(f->key));
	return rc == 0 || refuse(r, at.line, at.column, "memory ran out");
}

static bool key(struct reader *r, struct frame *f, struct bytes text, struct place at)
{
	if (memchr(text.data ? text.data : "", 0, text.size))
		return refuse(r, at.line, at.column, "a key with a NUL in it");
	char *name = mem_copy(text.data, text.size);
	if (json_object_get(f->node, name)) {
		refuse(r, at.line, at.column, "the key \"%.64s\" stands here a second time; remove one of them", name);
		free(name);
		return false;
	}
	f->key = name;
	f->at = at;
	return true;
}

static bool expects_key(const struct reader *r)
{
	return r->depth && json_is_object(r->frames[r->depth - 1].node) && !r->frames[r->depth - 1].key;
}

/* Of a scalar: 's' for a string whatever it looks like, 0 for what its form says, '?' for a tag that we do not take. */
static char tag_kind(struct fy_token *tag)
{
	const char *text = tag ? fy_tag_token_tag(tag)->prefix : NULL;
	if (!text)
		return 0;
	size_t size;
	const char *whole = fy_token_get_text(tag, &size);
	struct bytes t = {whole, size};
	if (bytes_equal(t, bytes_of("tag:yaml.org,2002:str")) || bytes_equal(t, bytes_of("!")))
		return 's';
	static const char *const plain[] = {"int", "float", "bool", "null", "map", "seq"};
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (size > 18 && memcmp(whole, "tag:yaml.org,2002:", 18) == 0 &&
			bytes_equal((struct bytes){whole + 18, size - 18}, bytes_of(plain[i])))
			return 0;
	}
	return '?';
}

static bool scalar(struct reader *r, struct fy_event *event, struct place at)
{
	size_t size = 0;
	const char *data = fy_token_get_text(event->scalar.value, &size);
	struct bytes text = {data, data ? size : 0};
	char kind = tag_kind(event->scalar.tag);
	if (expects_key(r))
		return key(r, &r->frames[r->depth - 1], text, at);
	if (kind == '?')
		return refuse(r, at.line, at.column, "tags are not taken here; write the value without \"!\"");
	enum fy_scalar_style style = fy_scalar_token_get_style(event->scalar.value);
	bool plain = kind != 's' && (style == FYSS_PLAIN || style == FYSS_ANY); /* ANY: there is nothing */
	json_t *value = plain ? scalar_plain(text) : json_stringn(text.data ? text.data : "", text.size);
	return value ? put(r, value, at) : refuse(r, at.line, at.column, "this text is not UTF-8");
}

static bool open_container(struct reader *r, json_t *node, struct place at)
{
	if (expects_key(r)) {
		json_decref(node);
		return refuse(r, at.line, at.column, "a key must be plain text, not a list or a mapping");
	}
	if (r->depth == CONFIG_DEPTH_MAX) {
		json_decref(node);
		return refuse(r, at.line, at.column, "more than %d levels of nesting", CONFIG_DEPTH_MAX);
	}
	if (!put(r, node, at))
		return false;
	r->frames[r->depth++] = (struct frame){.node = node, .pointer = r->pointer.size};
	return true;
}

static bool on_event(struct reader *r, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct place at = {mark ? (unsigned)mark->line + 1 : 1, mark ? (unsigned)mark->column + 1 : 1, 0, 0};
	at.key_line = at.line;
	at.key_column = at.column;
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return ++r->documents == 1 || refuse(r, at.line, at.column, "a second document begins here; only one is taken");
	case FYET_SCALAR:
		return scalar(r, event, at);
	case FYET_MAPPING_START:
		return open_container(r, json_object(), at);
	case FYET_SEQUENCE_START:
		return open_container(r, json_array(), at);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		r->depth--;
		return true;
	case FYET_ALIAS: /* its mark stands behind the '*' */
		return refuse(r, at.line, at.column - 1, "aliases (*name) are not taken; write the value out");
	default:
		return true;
	}
}

static bool syntax_error(struct reader *r, struct fy_diag *diag)
{
	void *iterator = NULL;
	struct fy_diag_error *d = fy_diag_errors_iterate(diag, &iterator);
	return d ? refuse(r, (unsigned)(d->line > 0 ? d->line : 1), (unsigned)(d->column > 0 ? d->column : 1), "%s", d->msg)
			 : refuse(r, 1, 1, "this is not YAML");
}

static bool read_all(struct reader *r, struct fy_parser *parser, struct fy_diag *diag)
{
	for (struct fy_event *event; (event = fy_parser_parse(parser));) {
		bool good = on_event(r, event);
		fy_parser_event_free(parser, event);
		if (!good)
			return false;
	}
	return !fy_parser_get_stream_error(parser) || syntax_error(r, diag);
}

static bool parse(struct reader *r, struct bytes text)
{
	struct fy_diag_cfg quiet;
	fy_diag_cfg_default(&quiet);
	quiet.fp = NULL;
	quiet.colorize = false;
	struct fy_diag *diag = fy_diag_create(&quiet);
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE, .diag = diag};
	struct fy_parser *parser = fy_parser_create(&cfg);
	bool good = parser && fy_parser_set_string(parser, text.data, text.size) == 0
					? read_all(r, parser, diag)
					: refuse(r, 1, 1, "libfyaml cannot be started");
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return good;
}

static bool is_text(struct reader *r, struct bytes text)
{
	unsigned line = 1, column = 1;
	for (const char *at = text.data, *end = at + text.size; at < end; column++) {
		unsigned n = utf8_length(at, end);
		if (!n || !*at)
			return refuse(r, line, column, "this byte (0x%02x) is not UTF-8 text", (unsigned char)*at);
		if (*at == '\n') {
			line++;
			column = 0;
		}
		at += n;
	}
	return true;
}

enum errcode yaml_read(const char *name, struct bytes text, struct places *places, json_t **out, struct err *e)
{
	struct reader r = {.name = name, .places = places, .e = e};
	bool good = is_text(&r, text) && (text.size == 0 || parse(&r, text));
	for (unsigned i = 0; i < CONFIG_DEPTH_MAX; i++)
		free(r.frames[i].key);
	buf_fini(&r.pointer);
	if (!good) {
		json_decref(r.root);
		return E_INVALID;
	}
	*out = r.root && !json_is_null(r.root) ? r.root : json_object();
	return E_OK;
}
