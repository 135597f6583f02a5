/* Inputs against the schema of their capability, before they are queued or called. */
#include "api/api.h"

#include "base/mem.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opened schemas, by their text: few and long-lived, so a short list is enough. Loop thread only. */
struct known {
	char *text;
	struct schema *schema; /* NULL: it is no schema; then nothing is checked */
};

enum { KNOWN_MAX = 256 };

static struct schema *schema_of(const char *text)
{
	static struct known known[KNOWN_MAX];
	static size_t n;
	for (size_t i = 0; i < n; i++)
		if (strcmp(known[i].text, text) == 0)
			return known[i].schema;
	struct known made = {mem_text(text), NULL};
	if (schema_open(bytes_of(text), &made.schema, NULL) != E_OK)
		made.schema = NULL;
	if (n < KNOWN_MAX) {
		known[n++] = made;
		return made.schema;
	}
	schema_close(known[0].schema);
	free(known[0].text);
	known[0] = made;
	return made.schema;
}

static const struct capability *offered(struct api *a, struct bytes namespace, struct bytes capability)
{
	const struct registry_entry *entry =
		registry_find(a->registry, namespace.size ? namespace : bytes_of("default"), capability);
	return entry && entry->offer_n ? registry_capability(&entry->offers[0]) : NULL;
}

enum errcode api_check_input(
	struct api *a, struct bytes namespace, struct bytes capability, struct bytes input, char *pointer, struct err *e)
{
	const struct capability *c = offered(a, namespace, capability);
	struct schema *schema = c && c->input_schema ? schema_of(c->input_schema) : NULL;
	char within[SCHEMA_POINTER_SIZE] = "";
	if (!schema)
		return E_OK;
	enum errcode code = schema_check_text(schema, input, within, e);
	if (code) {
		snprintf(pointer, SCHEMA_POINTER_SIZE + 8, "/input%s", within);
		err_prefix(e, "%s", pointer);
	}
	return code;
}
