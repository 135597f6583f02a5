#include "abi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static bool refuse(char *why, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return false;
}

static void copy_sized(void *out, size_t room, const void *in, size_t size)
{
	memset(out, 0, room);
	memcpy(out, in, size < room ? size : room);
}

static bool copy_capability(struct reeve_capability *c, const struct reeve_capability *in, char *why, size_t why_size)
{
	copy_sized(c, sizeof *c, in, in->size);
	if (!c->name || !*c->name || strlen(c->name) > 128)
		return refuse(why, why_size, "a capability has no name, or one longer than 128 bytes");
	if (!c->handle)
		return refuse(why, why_size, "capability \"%s\" has no handle function", c->name);
	if (!c->version)
		c->version = "0.0.0";
	if (!c->summary)
		c->summary = "";
	if (!c->mode)
		c->mode = "transactional";
	return true;
}

bool abi_worker_init(struct abi_worker *out, const struct reeve_worker *worker, char *why, size_t why_size)
{
	const struct reeve_capability *const *list;

	memset(out, 0, sizeof *out);
	if (!worker || worker->size < offsetof(struct reeve_worker, name))
		return refuse(why, why_size, "the worker has no size: its first member must be sizeof(struct reeve_worker)");
	if (worker->abi != REEVE_ABI)
		return refuse(
			why, why_size, "the worker was built for ABI %u; this libreeve has ABI %u", worker->abi, REEVE_ABI);
	copy_sized(&out->worker, sizeof out->worker, worker, worker->size);
	if (!out->worker.name || !*out->worker.name)
		return refuse(why, why_size, "the worker has no name");
	if (!out->worker.version)
		out->worker.version = "0.0.0";
	list = out->worker.capabilities;
	while (list && list[out->n])
		if (++out->n > ABI_CAPABILITIES_MAX)
			return refuse(why, why_size, "the worker has more than %d capabilities (is the list closed by NULL?)",
				ABI_CAPABILITIES_MAX);
	out->capabilities = calloc(out->n + 1, sizeof *out->capabilities);
	if (!out->capabilities)
		return refuse(why, why_size, "no memory");
	for (unsigned i = 0; i < out->n; i++) {
		if (!copy_capability(&out->capabilities[i], list[i], why, why_size))
			return false;
		for (unsigned k = 0; k < i; k++)
			if (strcmp(out->capabilities[k].name, list[i]->name) == 0)
				return refuse(why, why_size, "capability \"%s\" is there twice", list[i]->name);
	}
	return true;
}

void abi_worker_fini(struct abi_worker *w)
{
	free(w->capabilities);
	w->capabilities = NULL;
}

const struct reeve_capability *abi_find(const struct abi_worker *w, const char *name)
{
	for (unsigned i = 0; i < w->n; i++)
		if (strcmp(w->capabilities[i].name, name) == 0)
			return &w->capabilities[i];
	return NULL;
}

static const struct {
	int outcome;
	bool retryable;
	const char *word;
} outcomes[] = {
	{REEVE_E_INTERNAL, true, "internal"},
	{REEVE_E_INVALID, false, "invalid"},
	{REEVE_E_AGAIN, true, "again"},
	{REEVE_E_CANCELLED, false, "cancelled"},
	{REEVE_E_TOO_LARGE, false, "too_large"},
	{REEVE_E_NOT_FOUND, false, "not_found"},
	{REEVE_E_REMOTE, true, "remote"},
	{REEVE_E_STATE, false, "state"},
	{REEVE_E_NO_MEMORY, true, "no_memory"},
};

const char *abi_outcome_word(int outcome)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		if (outcomes[i].outcome == outcome)
			return outcomes[i].word;
	return "internal";
}

bool abi_outcome_retryable(int outcome)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		if (outcomes[i].outcome == outcome)
			return outcomes[i].retryable;
	return true;
}
