/* keeper.h - what keeper and engine say to each other, and where the keeper writes down what it knows.
 *
 * The channel is a SOCK_SEQPACKET socketpair made by the keeper: one message is one packet, both ends run on one machine and
 * come from one build, so structs travel as they are. The engine finds its end as the descriptor KEEPER_ENV_FD names.
 * When the channel ends, the other side is gone: the engine exits at once (its workers live on), the keeper reaps it.
 *
 *   engine ──SPAWN──► keeper       SPAWNED or SPAWN_FAILED, later EXITED, come back for the same slot
 *          ──SIGNAL─►              no answer; an unknown slot or one that has exited is ignored
 *          ──LIST───►              one LISTED for each slot in use, then LIST_END
 *          ──FORGET─►              frees a slot whose child has exited: until then the keeper remembers its status
 *   keeper ──STOP, RELOAD──►       SIGTERM or SIGINT, SIGHUP came
 *
 * The engine chooses the slot (lowest free number, please: the keeper's memory follows the highest one used). No event is
 * lost: what could not be sent is owed, and what happened while there was no engine is what LIST tells.
 * Pure: no I/O, no allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEEPER_SLOTS		4096u /* children at one time */
#define KEEPER_MESSAGE_MAX	65536u /* bytes; a SPAWN whose arguments and environment are longer is refused */
#define KEEPER_STRINGS_MAX	2048u /* arguments plus environment entries of one SPAWN */
#define KEEPER_INSTANCE_MAX 96 /* an instance's id with its NUL */
#define KEEPER_PATH_MAX		256 /* path of a log FIFO with its NUL */
#define KEEPER_READY_FD_MAX 255 /* descriptor at which a child says that it is ready; from 3 */
#define KEEPER_LIMITS_MAX	16 /* rlimits of one SPAWN */

#define KEEPER_ENV_FD		  "REEVE_KEEPER_FD" /* in the engine's environment: its end of the channel */
#define KEEPER_ENV_BREADCRUMB "REEVE_BREADCRUMB_FD" /* the file of wire/breadcrumb.h, open for read and write */
#define KEEPER_ENV_INSTANCE                                                                                            \
	"REEVE_INSTANCE" /* in each child's environment, given by the engine: marks its descendants */

enum { /* how the engine ends, and what the keeper does then; anything else: the engine is started again */
	KEEPER_EXIT_DONE = 0, /* orderly stop: the keeper exits with 0 */
	KEEPER_EXIT_USAGE = 2, /* wrong arguments: the keeper exits with 2 */
	KEEPER_EXIT_ESSENTIAL = 69, /* an essential worker was given up: the keeper exits with 69 */
	KEEPER_EXIT_CONFIG = 78, /* the configuration is refused: the keeper exits with 78 */
};

enum keeper_type {
	KEEPER_SPAWN = 1, /* struct keeper_spawn */
	KEEPER_SIGNAL, /* struct keeper_signal */
	KEEPER_LIST, /* struct keeper_head */
	KEEPER_FORGET, /* struct keeper_head */
	KEEPER_SPAWNED = 64, /* struct keeper_event from here on */
	KEEPER_SPAWN_FAILED,
	KEEPER_EXITED,
	KEEPER_LISTED,
	KEEPER_LIST_END,
	KEEPER_STOP, /* status: how many times it was asked for; from the second time on, hurry */
	KEEPER_RELOAD,
};

enum keeper_step { /* where a SPAWN failed; keeper_step_word() says it in words */
	KEEPER_STEP_REQUEST = 1, /* malformed, or the slot is in use */
	KEEPER_STEP_LOG, /* opening the FIFOs */
	KEEPER_STEP_FORK,
	KEEPER_STEP_LIMIT, /* setrlimit */
	KEEPER_STEP_DIRECTORY,
	KEEPER_STEP_EXEC,
};

enum keeper_state { /* of a slot */
	KEEPER_FREE,
	KEEPER_ALIVE,
	KEEPER_GONE, /* exited, not yet forgotten */
};

struct keeper_head {
	uint32_t type; /* enum keeper_type */
	uint32_t slot; /* < KEEPER_SLOTS; 0 where there is none */
};

struct keeper_limit {
	uint32_t resource; /* RLIMIT_… */
	uint32_t zero;
	uint64_t soft, hard;
};

/* `strings` holds, each with its NUL: directory ("" keeps the keeper's), log FIFO of stdout, of stderr ("" is /dev/null),
 * what is opened at descriptor `ready_fd` (when that is not 0), argc arguments (the first is the program; looked for in PATH when it has no slash), envc environment entries ("NAME=value",
 * all there is: nothing of the keeper's own environment is passed on). */
struct keeper_spawn {
	struct keeper_head head;
	char instance[KEEPER_INSTANCE_MAX];
	uint32_t argc, envc, limit_n, strings_size;
	uint32_t ready_fd, zero;
	struct keeper_limit limits[KEEPER_LIMITS_MAX];
	char strings[];
};

struct keeper_signal {
	struct keeper_head head;
	int32_t signal;
	uint32_t group; /* 1: the child's whole process group (it leads its own session) */
};

struct keeper_event {
	struct keeper_head head;
	char instance[KEEPER_INSTANCE_MAX]; /* SPAWNED, EXITED, LISTED */
	int32_t pid;
	uint32_t state; /* LISTED: enum keeper_state */
	uint64_t
		start; /* start time of the pid in clock ticks since boot (field 22 of /proc/PID/stat): with it a pid is never mistaken */
	int32_t status; /* EXITED, LISTED: as from waitpid; SPAWN_FAILED: errno */
	uint32_t
		known; /* EXITED, LISTED: 0: status is unknown, for it was not our child (adopted after the keeper's death) */
	uint32_t step; /* SPAWN_FAILED: enum keeper_step */
	uint32_t zero;
};

/* The keeper's memory, `<data>/run/keeper.state`: one header and KEEPER_SLOTS slots, mapped, so that it survives kill -9. */
#define KEEPER_STATE_MAGIC	 0x5245455645530001ull
#define KEEPER_STATE_VERSION 1u

struct keeper_slot {
	uint32_t state; /* enum keeper_state; written last when a slot is taken */
	int32_t pid;
	uint64_t start;
	int32_t status;
	uint32_t known;
	char instance[KEEPER_INSTANCE_MAX];
	char out[KEEPER_PATH_MAX], err[KEEPER_PATH_MAX]; /* log FIFOs: opened again by the next keeper */
};

struct keeper_memory {
	uint64_t magic;
	uint32_t version, slot_n;
	char boot[40]; /* boot id: after a reboot no pid means anything */
	int32_t engine_pid;
	uint32_t high; /* no slot at or above this was ever used */
	uint64_t engine_start;
	struct keeper_slot slots[KEEPER_SLOTS];
};

/* Fills a SPAWN in `message` (KEEPER_MESSAGE_MAX bytes, aligned to 8). `argv` and `env` end with NULL. Returns the size of the
 * packet, or 0: it would be longer than KEEPER_MESSAGE_MAX, or has more than KEEPER_STRINGS_MAX strings, or no argument, or a
 * name that does not fit. */
struct keeper_order {
	uint32_t slot;
	const char *instance, *directory, *out, *err, *ready; /* NULL is "" */
	uint32_t ready_fd; /* where the child finds `ready`; 0: nowhere */
	const char *const *argv, *const *env;
	const struct keeper_limit *limits;
	uint32_t limit_n;
};
size_t keeper_spawn_encode(const struct keeper_order *order, void *message);

/* Checks a SPAWN that came over the channel and points into it. argv and env have room for KEEPER_STRINGS_MAX + 2 pointers
 * together; both end with NULL. False: it is malformed. */
struct keeper_parsed {
	const struct keeper_spawn *spawn;
	char *directory, *out, *err, *ready;
	char **argv, **env;
};
bool keeper_spawn_decode(void *message, size_t size, char **pointers, struct keeper_parsed *out);

const char *keeper_step_word(uint32_t step); /* "starting the program", …; never NULL */
