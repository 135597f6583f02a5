/* cli.h - what the commands share. One file per noun, each with its const table of commands; main.c finds the command.
 *
 * Exit codes: 0 fine, 1 failed, 2 usage, 3 the daemon does not run (status, down), 4 unknown (no such job, worker ...),
 * 69 the daemon cannot be reached, 75 try again. They come from one table in client.c. Single-threaded. */
#pragma once
#include "base/bytes.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_UNKNOWN = 4,
	EXIT_UNREACHABLE = 69,
	EXIT_TRY_AGAIN = 75
};

struct option_spec { /* of one command; a table ends with name NULL */
	const char *name;
	char letter; /* or 0 */
	const char *value; /* what it takes ("FILE"), or NULL for a switch */
	const char *help;
};

struct args;

struct command {
	const char *noun, *verb; /* verb "" for `reeve up` and the like */
	const char *operands; /* "CAPABILITY", "[ID...]" */
	const char *summary;
	const struct option_spec *options; /* or NULL */
	int operands_min, operands_max; /* max -1: any number */
	int (*run)(const struct args *a);
};

struct args { /* of the command at hand */
	const struct command *command;
	const char **operands;
	int operand_n;
	const char *values[32]; /* by index into command->options; the last one given */
	const char *repeated[64]; /* every value of the option called "tag" or "set" */
	int repeated_n;
	bool json; /* --json */
};

/* main.c */
extern const char *program_directory; /* where this executable is */
const char *arg_option(const struct args *a, const char *name); /* NULL: not given; "" for a switch that was */
const struct command *find_command(const char *noun, const char *verb); /* or NULL */
bool is_noun(const char *word); /* one that has verbs */
const struct command *const *all_commands(void); /* tables, NULL last; each ends with noun NULL */

/* client.c: one request to the daemon over its Unix socket */
struct reply {
	int status; /* of HTTP */
	struct buf body;
	json_t *json; /* when the body is JSON, else NULL */
};
extern const char *client_socket; /* path; set by main */
/* `path` is under the daemon's root ("/v1/jobs"). An answer from 400 on, or none, is printed to stderr and turned into an exit
 * code; otherwise 0 and *r, which reply_fini frees. body NULL: none. */
int client_request(const char *method, const char *path, const char *content_type, struct bytes body, struct reply *r);
int client_get(const char *path, struct reply *r);
/* A request whose answer is only for --json: the command's exit code. */
int client_do(const struct args *a, const char *method, const char *path);
/* Says how to go on, below a table that was not all. */
void client_print_more(const struct reply *r);
/* GET for a command that prints a table: true: *r is there to be shown, and reply_fini frees it; false: *code is the command's
 * exit code, for --json printed the answer or the daemon refused. */
bool client_show(const struct args *a, const char *path, struct reply *r, int *code);
int client_get_patiently(const char *path, struct reply *r); /* for who follows something: outlives an engine's death */
int client_post_patiently(const char *path, struct bytes body, struct reply *r); /* for what may be said twice */
int client_upload(const char *file, char **blob, bool progress); /* "-" is stdin; *blob is the caller's */
int client_download(const char *path, const char *file); /* "-" is stdout; written by tmp and rename */
/* The same for what is its owner's alone (0600), on the disk when it returns, and with a bar. */
int client_save(const char *path, const char *file, const char *label);
/* Sends a file ("-": stdin) as NDJSON, with a progress bar; gives the answer's lines, as client_follow. */
int client_send_lines(
	const char *path, const char *file, bool (*line)(void *context, struct bytes line), void *context);
int client_follow(const char *path, bool (*line)(void *context, struct bytes line),
	void *context); /* a stream, line by line, until it ends or `line` says false */
bool client_reachable(const char *probe); /* GET answers 200; prints nothing */
void reply_fini(struct reply *r);
char *url_path(const char *before, const char *operand, const char *after); /* operand percent-encoded; the caller's */
void url_add_option(struct buf *path, const struct args *a, const char *name); /* ?name=value, when it was given */
void url_add_value(struct buf *path, const char *name, const char *value); /* NULL: nothing */

/* table.c */
struct table;
struct table *table_new(const char *const *headings); /* NULL last */
void table_add(struct table *t, const char *cell); /* row by row; NULL is "-" */
void table_addf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *t); /* to stdout; frees t */
bool colour_wanted(int fd); /* a terminal, and no NO_COLOR */
const char *json_text(const json_t *object, const char *name); /* a string member, or "-" */
void print_json(const json_t *value);
char *ago(const json_t *time); /* "3m" since an RFC 3339 string; the caller's */

/* progress.c: a bar on stderr when it is a terminal */
void progress_show(const char *label, uint64_t done, uint64_t total, const char *note); /* total 0: unknown */
void progress_end(void);

/* engine.c */
#define DEFAULT_CONFIG "/etc/reeve/reeve.yaml"
/* Runs reeve-engine; each line of its stdout goes to `line`, or to ours when that is NULL. Its exit code */
int engine_run(char *const argv[], void (*line)(void *context, char *line), void *context);
const char *engine_config(const struct args *a); /* --config, or the default where it is there, or NULL */
/* Appends --config, --data-dir and --socket, as they were given to the command, to argv at n; the new n. 6 places at most. */
int engine_add_places(const struct args *a, char **argv, int n);

/* limits.c */
int limits_change(const struct args *a, const char *path); /* PATCH, or with --reset DELETE, as its options say */
char *limits_text(const json_t *limits); /* "concurrency 10, key rate 5" or "none"; the caller's */

/* input.c */
char *read_file(const char *path, size_t *size); /* "-" is stdin; complains and gives NULL when it cannot */
int input_argument(const char *argument, char **text); /* JSON text, @FILE or - ; checked to be JSON; exit code */
/* A whole number that was given to an option; *n stays when it was not. EXIT_USAGE otherwise. */
int input_number(const struct args *a, const char *option, uint64_t max, uint64_t *n);
int complain(int code, const char *format, ...)
	__attribute__((format(printf, 2, 3))); /* "reeve: ..." to stderr; returns code */

extern const struct command daemon_commands[], worker_commands[], job_commands[], queue_commands[],
	namespace_commands[], dead_commands[], batch_commands[], callback_commands[], pipeline_commands[], run_commands[],
	schedule_commands[], blob_commands[], claim_commands[], config_commands[], upkeep_commands[], help_commands[],
	completion_commands[];
void print_help(const char *noun); /* cmd_help.c; NULL: everything */
void print_command_help(const struct command *c);
int claim_run(const struct args *a); /* claim_run.c */
int worker_new(const struct args *a); /* worker_new.c */
int run_follow(const char *run_id, bool quiet, json_t **run); /* run.c: shows progress until the run is over */
