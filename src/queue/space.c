/* Namespaces: what their queues have in common. One is made with its first queue, or when somebody sets something of it. */
#include "queue/state.h"

#include <stdlib.h>

struct space *space_find(const struct queues *qs, struct bytes name)
{
	list_each((struct list *)&qs->spaces, at)
	{
		struct space *s = container_of(at, struct space, link);
		if (bytes_equal(s->name, name))
			return s;
	}
	return NULL;
}

enum errcode namespaces_check(struct queues *qs, struct bytes name, struct err *e)
{
	enum errcode code = job_name_check("namespace", name, e);
	if (!code && qs->space_n >= QUEUES_MAX && !space_find(qs, name))
		return err_set(e, E_LIMIT, "namespace \"%.*s\": there are %zu namespaces already, at most %d may be",
			(int)name.size, name.data, qs->space_n, QUEUES_MAX);
	return code;
}

struct space *space_get(struct queues *qs, struct bytes name)
{
	struct space *s = space_find(qs, name);
	if (s)
		return s;
	s = mem_new(sizeof *s + name.size);
	s->qs = qs;
	s->weight = 1;
	s->name = (struct bytes){memcpy(s->text, name.data, name.size), name.size};
	list_init(&s->held_back);
	list_append(&qs->spaces, &s->link);
	qs->space_n++;
	return s;
}

void spaces_free(struct queues *qs)
{
	list_each(&qs->spaces, at) free(container_of(at, struct space, link));
}
