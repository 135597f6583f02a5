/* list.h - a doubly linked list whose links live in its members. No allocation. */
#pragma once
#include "base/mem.h"
#include <stdbool.h>

struct list {
	struct list *next, *prev; /* of the head: first and last; of a member: neighbours; NULL: in no list */
};

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *member)
{
	member->prev = head->prev;
	member->next = head;
	head->prev->next = member;
	head->prev = member;
}

static inline void list_remove(struct list *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	member->next = member->prev = NULL;
}

/* The member may be removed in the body. */
#define list_each(head, variable)                                                                                      \
	for (struct list *variable = (head)->next, *variable##_next; variable##_next = variable->next, variable != (head); \
		 variable = variable##_next)
