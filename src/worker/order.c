#include "worker/order.h"

#include "base/mem.h"
#include "worker/instance.h"

#include <stdlib.h>
#include <string.h>

static bool comes_after(const struct worker *w, const char *id)
{
	for (char **name = w->after; name && *name; name++)
		if (strcmp(*name, id) == 0)
			return true;
	return false;
}

/* ── a file ── */

static size_t find(struct worker *const *all, size_t n, const char *id)
{
	for (size_t k = 0; k < n; k++)
		if (strcmp(all[k]->id, id) == 0)
			return k;
	return n;
}

static bool all_come_before(struct worker *const *all, size_t n, const bool *placed, const struct worker *w)
{
	for (char **name = w->after; name && *name; name++)
		if (!placed[find(all, n, *name)])
			return false;
	return true;
}

/* Places those whose predecessors are placed, until nobody is left (or can be: a circle). */
static size_t place(struct worker *const *all, size_t n, bool *placed)
{
	size_t left = n;
	for (bool moved = true; moved && left;) {
		moved = false;
		for (size_t k = 0; k < n; k++) {
			if (placed[k] || !all_come_before(all, n, placed, all[k]))
				continue;
			placed[k] = moved = true;
			left--;
		}
	}
	return left;
}

enum errcode order_check(struct worker *const *all, size_t n, size_t *which, struct err *e)
{
	for (*which = 0; *which < n; ++*which)
		for (char **name = all[*which]->after; name && *name; name++)
			if (find(all, n, *name) == n)
				return err_set(e, E_INVALID, "after: there is no worker \"%s\"", *name);
	scoped(mem_free_at) bool *placed = mem_new(n + 1);
	if (place(all, n, placed) == 0)
		return E_OK;
	for (*which = 0; placed[*which]; ++*which)
		;
	return err_set(e, E_INVALID, "after: worker \"%s\" and those it names wait for each other", all[*which]->id);
}

/* ── what runs ── */

static bool is_there(const struct worker *w)
{
	list_each(&w->instances, at)
	{
		const struct instance *i = container_of(at, struct instance, link);
		if (i->state == INSTANCE_RUNNING && i->ready && !i->leaving)
			return true;
	}
	return !w->wanted || w->replicas == 0;
}

const char *order_waits_for(const struct list *workers, const struct worker *w)
{
	if (!w->after)
		return NULL;
	list_each(workers, at)
	{
		const struct worker *other = container_of(at, struct worker, link);
		if (other != w && comes_after(w, other->id) && !is_there(other))
			return other->id;
	}
	return NULL;
}

bool order_is_needed(const struct list *workers, const struct worker *w)
{
	list_each(workers, at)
	{
		const struct worker *other = container_of(at, struct worker, link);
		if (other == w || !comes_after(other, w->id))
			continue;
		list_each(&other->instances, x)
		{
			enum instance_state state = container_of(x, struct instance, link)->state;
			if (state != INSTANCE_STOPPED && state != INSTANCE_FAILED)
				return true;
		}
	}
	return false;
}
