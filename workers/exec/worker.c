/* worker.c - any command as a worker: the capabilities stand in the file that REEVE_EXEC_FILE names, made by the daemon from the
 * `exec` of a worker's declaration. Its list of capabilities is known before it connects, as every worker's is. */
#include "command.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MAX = 64 };

static struct command commands[COMMANDS_MAX];
static struct reeve_capability capabilities[COMMANDS_MAX];
static const struct reeve_capability *list[COMMANDS_MAX + 1];
static size_t command_n;
static json_t *declaration; /* the capabilities' texts are in it, as long as the program runs */

/* A handler is not told which capability it was called for, so each has its own. */
#define HANDLER(n)                                                                                                     \
	static int handle_##n(void *state, struct reeve_job *job)                                                          \
	{                                                                                                                  \
		(void)state;                                                                                                   \
		return command_run(&commands[n], job);                                                                         \
	}
#define EIGHT(M, t) M(t##0) M(t##1) M(t##2) M(t##3) M(t##4) M(t##5) M(t##6) M(t##7)
#define ALL(M)		EIGHT(M, 0) EIGHT(M, 01) EIGHT(M, 02) EIGHT(M, 03) EIGHT(M, 04) EIGHT(M, 05) EIGHT(M, 06) EIGHT(M, 07)
ALL(HANDLER) /* octal: 00 to 077 */

#define NAME(n) handle_##n,
static int (*const handlers[COMMANDS_MAX])(void *state, struct reeve_job *job) = {ALL(NAME)};

static void on_cancel(void *state, struct reeve_job *job)
{
	(void)state;
	command_cancel(job);
}

static int refuse(const char *path, const char *why)
{
	fprintf(stderr, "exec: %s: %s\n", path, why);
	return -1;
}

static char **arguments(const json_t *array)
{
	char **argv = calloc(json_array_size(array) + 1, sizeof *argv);
	for (size_t i = 0; argv && i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));
		argv[i] = strdup(text ? text : "");
	}
	return argv;
}

static const char *text_of(const json_t *from, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(from, name));
	return text ? text : otherwise;
}

static int add(const char *path, const json_t *from)
{
	const json_t *argv = json_object_get(from, "command");
	const char *name = text_of(from, "capability", NULL);
	if (command_n == COMMANDS_MAX)
		return refuse(path, "more than 64 capabilities");
	if (!name || !json_string_value(json_array_get(argv, 0)))
		return refuse(path, "a capability and a command (an array of strings) are needed in each of exec");
	bool binary = json_is_true(json_object_get(from, "binary"));
	commands[command_n] = (struct command){strdup(name), arguments(argv), binary};
	capabilities[command_n] = (struct reeve_capability){.size = sizeof(struct reeve_capability),
		.flags = binary ? REEVE_BINARY_INPUT | REEVE_BINARY_OUTPUT : 0,
		.name = name,
		.version = text_of(from, "version", "1.0.0"),
		.summary = text_of(from, "summary", "runs a command"),
		.mode = "batch",
		.handle = handlers[command_n],
		.cancel = on_cancel};
	list[command_n] = &capabilities[command_n];
	command_n++;
	return 0;
}

static int read_commands(const char *path)
{
	json_error_t error;
	json_t *one;
	size_t i;
	declaration = json_load_file(path, 0, &error);
	if (!declaration)
		return refuse(path, error.text);
	json_array_foreach(json_object_get(declaration, "exec"), i, one) if (add(path, one) < 0) return -1;
	return command_n ? 0 : refuse(path, "names no capability: {\"exec\":[{\"capability\":…,\"command\":[…]}]}");
}

static const struct reeve_worker worker = {
	.size = sizeof worker, .abi = REEVE_ABI, .name = "exec", .version = "1.0.0", .capabilities = list};

int main(int argc, char **argv)
{
	const char *path = getenv("REEVE_EXEC_FILE");
	if (!path)
		fprintf(stderr, "exec: REEVE_EXEC_FILE is not set: the daemon sets it; README.md says how to try it without\n");
	if (!path || read_commands(path) < 0)
		return 2;
	return reeve_main(argc, argv, &worker);
}
