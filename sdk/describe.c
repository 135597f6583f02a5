#include "describe.h"

#include "wire/jsontext.h"

#include <string.h>

static void add_string(struct text *out, const char *name, const char *value)
{
	text_format(out, "\"%s\":", name);
	if (value)
		text_quote(out, value, strlen(value));
	else
		text_put(out, "null");
}

static void add_json(struct text *out, const char *name, const char *json)
{
	text_format(out, ",\"%s\":", name);
	text_put(out, json && jsontext_check(json, strlen(json), NULL) ? json : "null");
}

static void add_flags(struct text *out, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {{REEVE_SERIAL, "serial"}, {REEVE_IDEMPOTENT, "idempotent"}, {REEVE_BINARY_INPUT, "binary_input"},
		{REEVE_BINARY_OUTPUT, "binary_output"}, {REEVE_STREAM, "stream"}};

	text_format(out, ",\"flags\":%u", flags);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		text_format(out, ",\"%s\":%s", names[i].name, flags & names[i].flag ? "true" : "false");
}

void describe_capability(struct text *out, const struct reeve_capability *c)
{
	text_put(out, "{");
	add_string(out, "name", c->name);
	text_put(out, ",");
	add_string(out, "version", c->version);
	text_put(out, ",");
	add_string(out, "summary", c->summary);
	text_put(out, ",");
	add_string(out, "mode", c->mode);
	add_flags(out, c->flags);
	text_put(out, ",\"tags\":[");
	for (int i = 0; c->tags && c->tags[i]; i++) {
		text_put(out, i ? "," : "");
		text_quote(out, c->tags[i], strlen(c->tags[i]));
	}
	text_put(out, "]");
	add_json(out, "input_schema", c->input_schema);
	add_json(out, "output_schema", c->output_schema);
	add_json(out, "item_schema", c->item_schema);
	add_json(out, "errors", c->errors);
	text_put(out, "}");
}

void describe_capabilities(struct text *out, const struct abi_worker *w)
{
	text_put(out, "[");
	for (unsigned i = 0; i < w->n; i++) {
		text_put(out, i ? "," : "");
		describe_capability(out, &w->capabilities[i]);
	}
	text_put(out, "]");
}

void describe_worker(struct text *out, const struct abi_worker *w)
{
	text_put(out, "{");
	add_string(out, "name", w->worker.name);
	text_put(out, ",");
	add_string(out, "version", w->worker.version);
	text_put(out, ",");
	add_string(out, "platform", w->worker.platform);
	text_format(out, ",\"abi\":%u", w->worker.abi);
	add_json(out, "config_schema", w->worker.config_schema);
	text_put(out, ",\"capabilities\":");
	describe_capabilities(out, w);
	text_put(out, "}");
}
