#include "cli/cli.h"

#include "base/mem.h"
#include "base/rfc3339.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct table {
	size_t columns, cells, room;
	char **cell; /* headings first */
};

static void add(struct table *t, char *text)
{
	if (t->cells == t->room)
		t->cell = mem_resize(t->cell, (t->room = t->room ? t->room * 2 : 64) * sizeof *t->cell);
	t->cell[t->cells++] = text;
}

struct table *table_new(const char *const *headings)
{
	struct table *t = NEW(struct table);
	for (; headings[t->columns]; t->columns++)
		add(t, mem_text(headings[t->columns]));
	return t;
}

void table_add(struct table *t, const char *cell)
{
	add(t, mem_text(cell && *cell ? cell : "-"));
}

void table_addf(struct table *t, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add(t, mem_text(text));
}

bool colour_wanted(int fd)
{
	const char *none = getenv("NO_COLOR");
	return isatty(fd) && (!none || !*none);
}

/* Columns on a terminal are characters, not bytes: continuation bytes of UTF-8 take none. */
static size_t width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *colour_of(const char *cell)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {{"running", "\033[32m"}, {"completed", "\033[32m"}, {"failed", "\033[31m"},
		{"cancelled", "\033[33m"}, {"stopped", "\033[33m"}, {"processing", "\033[36m"}, {"starting", "\033[36m"},
		{"ok", "\033[32m"}, {"repaired", "\033[32m"}, {"warning", "\033[33m"}, {"error", "\033[31m"}};
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strcmp(cell, colours[i].word) == 0)
			return colours[i].colour;
	return NULL;
}

static void print_cell(const char *cell, size_t pad, const char *colour)
{
	printf("%s%s%s%*s", colour ? colour : "", cell, colour ? "\033[0m" : "", (int)pad, "");
}

void table_print(struct table *t)
{
	bool colours = colour_wanted(STDOUT_FILENO);
	size_t widths[32] = {0};
	for (size_t i = 0; i < t->cells; i++) {
		size_t w = width(t->cell[i]);
		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->cells; i++) {
		bool last = i % t->columns == t->columns - 1;
		const char *colour = !colours ? NULL : i < t->columns ? "\033[1m" : colour_of(t->cell[i]);
		print_cell(t->cell[i], last ? 0 : widths[i % t->columns] - width(t->cell[i]) + 2, colour);
		if (last)
			putchar('\n');
		free(t->cell[i]);
	}
	free(t->cell);
	free(t);
}

const char *json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "-";
}

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

char *ago(const json_t *time_text)
{
	int64_t at;
	const char *text = json_string_value(time_text);
	if (!text || rfc3339_parse(bytes_of(text), &at, NULL) != E_OK)
		return mem_text("-");
	long long seconds = (long long)time(NULL) - at / 1000;
	struct buf out = {0};
	if (seconds < 120)
		buf_format(&out, "%llds", seconds < 0 ? 0 : seconds);
	else if (seconds < 7200)
		buf_format(&out, "%lldm", seconds / 60);
	else if (seconds < 172800)
		buf_format(&out, "%lldh", seconds / 3600);
	else
		buf_format(&out, "%lldd", seconds / 86400);
	return buf_take(&out);
}
