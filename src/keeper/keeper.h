/* keeper.h - all that the keeper knows; its files work on this one struct. One thread; nothing is allocated once it runs.
 *
 * main.c looks after signals and the loop, memory.c after the slots in the mapped file, child.c makes processes, channel.c
 * speaks with the engine, engine.c starts the engine and starts it again. */
#pragma once
#include "wire/breadcrumb.h"
#include "wire/keeper.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { /* what the engine has still to be told of a slot */
	OWE_SPAWNED = 1,
	OWE_FAILED = 2,
	OWE_EXITED = 4,
	OWE_LISTED = 8,
};

enum { ENGINE_FD = 3, BREADCRUMB_FD = 4 }; /* in the engine; kept free of anything else in the keeper */

struct keeper {
	struct keeper_memory *memory; /* mapped: `<data>/run/keeper.state` */
	struct breadcrumbs *crumbs; /* mapped: only its head is touched here */
	int crumbs_fd, epoll, signals;
	struct rlimit files; /* as they were before we raised them: children get these */
	char **argv; /* ours; the engine gets the same */
	char engine_path[4096];

	/* The engine. */
	int control; /* our end of the channel; -1: no engine is connected */
	pid_t engine_pid;
	int64_t engine_started_us, restart_at_us, kill_at_us; /* the last two: 0: not due */
	unsigned quick_deaths;
	unsigned stop_asked; /* times */
	unsigned stop_tries; /* engines that died instead of stopping */
	int exit_code; /* -1: go on */

	/* Per slot; descriptors: 0 is none. */
	int pidfd[KEEPER_SLOTS]; /* of adopted ones: their exit is seen here */
	int out[KEEPER_SLOTS], err[KEEPER_SLOTS];
	uint8_t owed[KEEPER_SLOTS];
	uint8_t failed_step[KEEPER_SLOTS];
	int16_t failed_errno[KEEPER_SLOTS];
	bool owe_list_end, owe_stop, owe_reload, wait_writable;

	uint64_t message[KEEPER_MESSAGE_MAX / 8];
	char *pointers[KEEPER_STRINGS_MAX + 2];
};

/* One line on stderr: time, severity, event and key=value fields. */
void keeper_say(const char *severity, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* memory.c */
struct err;
bool memory_open(struct keeper *k, const char *run_directory, struct err *e);
void memory_adopt(
	struct keeper *k); /* children of a keeper before us: those who live are watched, the others are GONE */
int memory_find(const struct keeper *k, pid_t pid); /* slot of a living child, or -1 */
void memory_exited(struct keeper *k, uint32_t slot, int status, bool known);
void memory_forget(struct keeper *k, uint32_t slot);
bool memory_open_logs(struct keeper *k, uint32_t slot); /* false with errno */
void memory_close_logs(struct keeper *k, uint32_t slot);

/* child.c */
void child_spawn(struct keeper *k, const struct keeper_parsed *p); /* the answer is owed */
void child_signal(struct keeper *k, uint32_t slot, int signal, bool group);
pid_t child_engine(struct keeper *k, int control); /* -1 with errno: which program fails is engine_path */

/* channel.c */
void channel_read(struct keeper *k);
void channel_flush(struct keeper *k); /* sends what is owed, as far as the engine reads */

/* engine.c */
bool engine_find(struct keeper *k, struct err *e);
void engine_end_former(struct keeper *k); /* one that outlived its keeper */
void engine_start(struct keeper *k);
void engine_lost(struct keeper *k); /* the channel ended: the process will follow */
void engine_end_late(struct keeper *k); /* it did not */
void engine_exited(struct keeper *k, int status);
