#include "config/config.h"

#include "base/mem.h"
#include "config/places.h"
#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct config {
	char *name;
	json_t *json;
	struct places *places;
};

void config_free(struct config *c)
{
	if (!c)
		return;
	places_free(c->places);
	json_decref(c->json);
	free(c->name);
	free(c);
}

json_t *config_json(const struct config *c)
{
	return c->json;
}

enum errcode config_error(const struct config *c, const char *pointer, struct err *e, const char *format, ...)
{
	char text[400];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	struct place at = places_find(c->places, pointer);
	return err_set(e, E_INVALID, "%s:%u:%u: %s%s%s", c->name, at.line, at.column, pointer, *pointer ? ": " : "", text);
}

static enum errcode check(struct config *c, const struct schema *schema, struct err *e)
{
	char pointer[SCHEMA_POINTER_SIZE];
	struct err why = {0};
	if (!schema || schema_check(schema, c->json, true, pointer, &why) == E_OK)
		return E_OK;
	struct place at = places_find(c->places, pointer);
	bool of_key = strncmp(why.text, "unknown key", 11) == 0;
	return err_set(e, E_INVALID, "%s:%u:%u: %s%s%s", c->name, of_key ? at.key_line : at.line,
		of_key ? at.key_column : at.column, pointer, *pointer ? ": " : "", why.text);
}

enum errcode config_parse(
	const char *name, struct bytes text, const struct schema *schema, struct config **out, struct err *e)
{
	if (text.size > CONFIG_MAX_BYTES)
		return err_set(e, E_TOO_LARGE, "%s has more than %d bytes, which is the limit", name, CONFIG_MAX_BYTES);
	struct config *c = NEW(struct config);
	c->name = mem_text(name);
	c->places = places_new();
	enum errcode code = yaml_read(name, text, c->places, &c->json, e);
	if (code == E_OK)
		code = check(c, schema, e);
	if (code == E_OK)
		*out = c;
	else
		config_free(c);
	return code;
}

/* One byte above the limit is read, so that a file that grows (or a pipe) is met by it, too. */
static enum errcode read_file(const char *path, struct buf *out, struct err *e)
{
	scoped(mem_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_errno(e, errno, "cannot open %s", path);
		return errno == ENOENT ? (e ? e->code = E_NOT_FOUND : 0, E_NOT_FOUND) : E_IO;
	}
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, 65536), 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "cannot read %s", path);
		out->size += (size_t)n;
		if (n == 0 || out->size > CONFIG_MAX_BYTES)
			return E_OK;
	}
}

enum errcode config_load(const char *path, const struct schema *schema, struct config **out, struct err *e)
{
	scoped(buf_fini) struct buf text = {0};
	enum errcode code = read_file(path, &text, e);
	return code == E_OK ? config_parse(path, buf_bytes(&text), schema, out, e) : code;
}
