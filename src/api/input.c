/* input.c - the input schemas of capabilities, opened once each: they are few, and live as long as the process. */
#include "api/api.h"

#include "base/mem.h"
#include "schema/schema.h"

#include <uthash.h>

enum { KNOWN_MAX = 512 }; /* above that an input is checked by its worker only */

struct known {
	char *text;
	struct schema *schema; /* NULL: it is no schema; then nothing is checked */
	UT_hash_handle hh;
};

static struct known *all; /* loop thread only; what it holds is read by the pool, too, and never changes */

static struct known *add(const char *text)
{
	struct known *k = NEW(struct known);
	k->text = mem_text(text);
	if (schema_open(bytes_of(text), &k->schema, NULL) != E_OK)
		k->schema = NULL;
	HASH_ADD_KEYPTR(hh, all, k->text, strlen(k->text), k);
	return k;
}

const struct schema *api_input_schema(struct api *a, struct bytes namespace, struct bytes capability)
{
	const struct registry_entry *entry =
		registry_find(a->registry, namespace.size ? namespace : bytes_of("default"), capability);
	const char *text = entry && entry->offer_n ? registry_capability(&entry->offers[0])->input_schema : NULL;
	struct known *k;
	if (!text)
		return NULL;
	HASH_FIND_STR(all, text, k);
	if (!k && HASH_COUNT(all) < KNOWN_MAX)
		k = add(text);
	return k ? k->schema : NULL;
}
