/* registry.h - who can do what: the capabilities of running instances, by name, tag and version. Loop thread only.
 *
 * It holds no reference: registry_remove is called before an instance or its capabilities go away. */
#pragma once
#include "base/bytes.h"
#include "worker/instance.h"
#include "worker/worker.h"

struct registry;

struct registry_offer { /* one instance that offers it */
	struct instance *instance;
	uint16_t index; /* into instance->capabilities */
};

struct registry_entry { /* one capability name of one namespace */
	char *namespace, *name;
	struct registry_offer *offers;
	size_t offer_n, offer_room;
	struct list link; /* of all, in order of name */
};

struct registry *registry_new(void);
void registry_free(struct registry *r);
void registry_add(struct registry *r, struct instance *i); /* it runs; adding twice is adding once */
void registry_remove(struct registry *r, struct instance *i); /* it no longer does */

/* NULL: nobody offers it now. `name` may be "email.parse" or "email.parse@>=1.2 <2" (see registry_fits). */
const struct registry_entry *registry_find(const struct registry *r, struct bytes namespace, struct bytes name);
const struct capability *registry_capability(const struct registry_offer *o);
bool registry_fits(const struct registry_offer *o, const char *range); /* its version is in the range; NULL: yes */
void registry_each(struct registry *r, void (*visit)(void *context, const struct registry_entry *entry), void *context);
/* Entries of which an offer has this tag. */
void registry_each_tagged(struct registry *r, struct bytes tag,
	void (*visit)(void *context, const struct registry_entry *entry), void *context);
/* {"name","version","summary","mode","tags","input_schema",…,"instances":[…]} */
void registry_entry_json(const struct registry_entry *entry, struct buf *out);
