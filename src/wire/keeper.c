#include "wire/keeper.h"

#include <string.h>

/* Appends a string with its NUL; false when it does not fit. */
static bool put(struct keeper_spawn *s, size_t room, const char *text)
{
	size_t n = strlen(text) + 1;
	if (n > room - s->strings_size)
		return false;
	memcpy(s->strings + s->strings_size, text, n);
	s->strings_size += (uint32_t)n;
	return true;
}

static bool put_all(struct keeper_spawn *s, size_t room, const char *const *texts, uint32_t *count)
{
	for (; *texts; texts++, ++*count)
		if (s->argc + s->envc >= KEEPER_STRINGS_MAX || !put(s, room, *texts))
			return false;
	return true;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

size_t keeper_spawn_encode(const struct keeper_order *o, void *message)
{
	struct keeper_spawn *s = message;
	size_t room = KEEPER_MESSAGE_MAX - sizeof *s;
	memset(s, 0, sizeof *s);
	s->head = (struct keeper_head){KEEPER_SPAWN, o->slot};
	if (o->slot >= KEEPER_SLOTS || o->limit_n > KEEPER_LIMITS_MAX || strlen(o->instance) >= sizeof s->instance ||
		strlen(or_empty(o->out)) >= KEEPER_PATH_MAX || strlen(or_empty(o->err)) >= KEEPER_PATH_MAX || !o->argv[0])
		return 0;
	strcpy(s->instance, o->instance);
	s->ready_fd = o->ready_fd;
	s->limit_n = o->limit_n;
	for (uint32_t i = 0; i < o->limit_n; i++)
		s->limits[i] = o->limits[i];
	if (!put(s, room, or_empty(o->directory)) || !put(s, room, or_empty(o->out)) || !put(s, room, or_empty(o->err)) ||
		!put(s, room, or_empty(o->ready)) || !put_all(s, room, o->argv, &s->argc) ||
		!put_all(s, room, o->env, &s->envc))
		return 0;
	return sizeof *s + s->strings_size;
}

/* The next string of a span that ends with a NUL; NULL when there is none. */
static char *next(char **at, const char *end)
{
	if (*at >= end)
		return NULL;
	char *text = *at;
	*at += strlen(text) + 1;
	return text;
}

static bool next_all(char **at, const char *end, uint32_t n, char **into)
{
	for (uint32_t i = 0; i < n; i++)
		if (!(into[i] = next(at, end)))
			return false;
	into[n] = NULL;
	return true;
}

bool keeper_spawn_decode(void *message, size_t size, char **pointers, struct keeper_parsed *out)
{
	struct keeper_spawn *s = message;
	if (size < sizeof *s || s->head.type != KEEPER_SPAWN || s->head.slot >= KEEPER_SLOTS ||
		s->limit_n > KEEPER_LIMITS_MAX || s->strings_size != size - sizeof *s || s->strings_size == 0 ||
		s->strings[s->strings_size - 1] != 0 || !memchr(s->instance, 0, sizeof s->instance) || s->argc == 0 ||
		s->argc > KEEPER_STRINGS_MAX || s->envc > KEEPER_STRINGS_MAX - s->argc)
		return false;
	char *at = s->strings;
	const char *end = s->strings + s->strings_size;
	struct keeper_parsed p = {.spawn = s, .argv = pointers, .env = pointers + s->argc + 1};
	p.directory = next(&at, end);
	p.out = next(&at, end);
	p.err = next(&at, end);
	p.ready = next(&at, end);
	if (!p.directory || !p.out || !p.err || !p.ready || s->ready_fd > KEEPER_READY_FD_MAX ||
		strlen(p.out) >= KEEPER_PATH_MAX || strlen(p.err) >= KEEPER_PATH_MAX || !next_all(&at, end, s->argc, p.argv) ||
		!next_all(&at, end, s->envc, p.env) || at != end)
		return false;
	*out = p;
	return true;
}

const char *keeper_step_word(uint32_t step)
{
	static const char *const words[] = {
		[KEEPER_STEP_REQUEST] = "taking the request",
		[KEEPER_STEP_LOG] = "opening the log pipes",
		[KEEPER_STEP_FORK] = "making a process",
		[KEEPER_STEP_LIMIT] = "setting a limit",
		[KEEPER_STEP_DIRECTORY] = "entering the directory",
		[KEEPER_STEP_EXEC] = "starting the program",
	};
	return step < sizeof words / sizeof *words && words[step] ? words[step] : "starting";
}
