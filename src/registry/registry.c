#include "registry/registry.h"

#include "base/mem.h"
#include "package/semver.h"

#include <stdlib.h>

struct registry {
	struct list entries;
};

struct registry *registry_new(void)
{
	struct registry *r = NEW(struct registry);
	list_init(&r->entries);
	return r;
}

static void entry_free(struct registry_entry *entry)
{
	list_remove(&entry->link);
	free(entry->namespace);
	free(entry->name);
	free(entry->offers);
	free(entry);
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	list_each(&r->entries, link) entry_free(container_of(link, struct registry_entry, link));
	free(r);
}

static struct registry_entry *find(const struct registry *r, struct bytes namespace, struct bytes name)
{
	list_each(&r->entries, link)
	{
		struct registry_entry *entry = container_of(link, struct registry_entry, link);
		if (bytes_equal(bytes_of(entry->name), name) && bytes_equal(bytes_of(entry->namespace), namespace))
			return entry;
	}
	return NULL;
}

/* Kept in order of name: listings are stable. */
static struct registry_entry *entry_new(struct registry *r, const char *namespace, const char *name)
{
	struct registry_entry *entry = NEW(struct registry_entry);
	entry->namespace = mem_text(namespace);
	entry->name = mem_text(name);
	struct list *before = r->entries.next;
	while (before != &r->entries && strcmp(container_of(before, struct registry_entry, link)->name, name) < 0)
		before = before->next;
	list_append(before, &entry->link); /* appending to a member puts it before that member */
	return entry;
}

static void add(struct registry *r, const char *namespace, const char *name, struct registry_offer offer)
{
	struct registry_entry *entry = find(r, bytes_of(namespace), bytes_of(name));
	if (!entry)
		entry = entry_new(r, namespace, name);
	if (entry->offer_n == entry->offer_room) {
		entry->offer_room = entry->offer_room ? entry->offer_room * 2 : 4;
		entry->offers = mem_resize(entry->offers, entry->offer_room * sizeof *entry->offers);
	}
	entry->offers[entry->offer_n++] = offer;
}

void registry_add(struct registry *r, struct instance *i)
{
	registry_remove(r, i);
	for (size_t k = 0; k < i->capability_n; k++)
		for (size_t n = 0; n < i->worker->namespace_n; n++)
			add(r, i->worker->namespaces[n], i->capabilities[k].name, (struct registry_offer){i, (uint16_t)k});
}

void registry_remove(struct registry *r, struct instance *i)
{
	list_each(&r->entries, link)
	{
		struct registry_entry *entry = container_of(link, struct registry_entry, link);
		size_t kept = 0;
		for (size_t k = 0; k < entry->offer_n; k++)
			if (entry->offers[k].instance != i)
				entry->offers[kept++] = entry->offers[k];
		entry->offer_n = kept;
		if (kept == 0)
			entry_free(entry);
	}
}

const struct registry_entry *registry_find(const struct registry *r, struct bytes namespace, struct bytes name)
{
	const char *at = name.size ? memchr(name.data, '@', name.size) : NULL;
	if (at)
		name.size = (size_t)(at - name.data);
	return find(r, namespace.size ? namespace : bytes_of("default"), name);
}

const struct capability *registry_capability(const struct registry_offer *o)
{
	return &o->instance->capabilities[o->index];
}

bool registry_fits(const struct registry_offer *o, const char *range)
{
	struct semver v;
	if (!range || !*range)
		return true;
	return semver_parse(registry_capability(o)->version, &v) && semver_in_range(&v, range);
}

void registry_each(struct registry *r, void (*visit)(void *, const struct registry_entry *), void *context)
{
	list_each(&r->entries, link) visit(context, container_of(link, struct registry_entry, link));
}

static bool tagged(const struct registry_offer *o, struct bytes tag)
{
	const char *text = registry_capability(o)->tags_json;
	json_t *tags = text ? json_loads(text, 0, NULL) : NULL;
	bool found = false;
	size_t k;
	json_t *value;
	json_array_foreach(tags, k, value) found |=
		json_is_string(value) && bytes_equal(bytes_of(json_string_value(value)), tag);
	json_decref(tags);
	return found;
}

void registry_each_tagged(
	struct registry *r, struct bytes tag, void (*visit)(void *, const struct registry_entry *), void *context)
{
	list_each(&r->entries, link)
	{
		struct registry_entry *entry = container_of(link, struct registry_entry, link);
		bool found = false;
		for (size_t k = 0; k < entry->offer_n && !found; k++)
			found = tagged(&entry->offers[k], tag);
		if (found)
			visit(context, entry);
	}
}

/* Schemas and tags are JSON text already. */
static void add_json(struct buf *out, const char *name, const char *json)
{
	buf_format(out, ",\"%s\":%s", name, json ? json : "null");
}

static void add_text(struct buf *out, const char *name, const char *text)
{
	buf_format(out, ",\"%s\":", name);
	if (text)
		buf_json_string(out, bytes_of(text));
	else
		buf_text(out, "null");
}

void registry_entry_json(const struct registry_entry *entry, struct buf *out)
{
	const struct capability *c = registry_capability(&entry->offers[0]);
	buf_text(out, "{\"name\":");
	buf_json_string(out, bytes_of(entry->name));
	add_text(out, "namespace", entry->namespace);
	add_text(out, "version", c->version);
	add_text(out, "summary", c->summary);
	add_text(out, "mode", c->mode);
	add_json(out, "tags", c->tags_json ? c->tags_json : "[]");
	add_json(out, "input_schema", c->input_schema);
	add_json(out, "output_schema", c->output_schema);
	add_json(out, "item_schema", c->item_schema);
	add_json(out, "errors", c->errors_json);
	buf_text(out, ",\"instances\":[");
	for (size_t k = 0; k < entry->offer_n; k++) {
		const struct instance *i = entry->offers[k].instance;
		buf_text(out, k ? ",{\"id\":" : "{\"id\":");
		buf_json_string(out, bytes_of(i->id));
		add_text(out, "worker_id", i->worker->id);
		add_text(out, "type", worker_type_word(i->worker->type));
		add_text(out, "version", registry_capability(&entry->offers[k])->version);
		buf_format(out, ",\"in_flight\":%u,\"endpoint\":{\"type\":", i->in_flight);
		buf_json_string(out, bytes_of(i->endpoint_type));
		add_text(out, "address", i->endpoint_address);
		buf_text(out, "}}");
	}
	buf_text(out, "]}");
}
