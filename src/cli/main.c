#include "cli/cli.h"

#include "base/mem.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *program_directory = ".";

static const struct command *const tables[] = {daemon_commands, worker_commands, job_commands, queue_commands,
	namespace_commands, dead_commands, batch_commands, callback_commands, pipeline_commands, run_commands,
	schedule_commands, blob_commands, claim_commands, config_commands, upkeep_commands, help_commands,
	completion_commands, NULL};

const struct command *const *all_commands(void)
{
	return tables;
}

const struct command *find_command(const char *noun, const char *verb)
{
	for (size_t t = 0; tables[t]; t++)
		for (const struct command *c = tables[t]; c->noun; c++)
			if (strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0)
				return c;
	return NULL;
}

bool is_noun(const char *word)
{
	for (size_t t = 0; tables[t]; t++)
		for (const struct command *c = tables[t]; c->noun; c++)
			if (*c->verb && strcmp(c->noun, word) == 0)
				return true;
	return false;
}

/* ── options ── */

enum { OPTION_JSON = 1000, OPTION_SOCKET, OPTION_HELP, OPTION_FIRST = 2000 };

static size_t fill_options(const struct command *c, struct option *longs, char *letters)
{
	static const struct option common[] = {{"json", no_argument, NULL, OPTION_JSON},
		{"socket", required_argument, NULL, OPTION_SOCKET}, {"help", no_argument, NULL, OPTION_HELP}};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		longs[n++] = common[i];
	for (const struct option_spec *o = c->options; o && o->name; o++) {
		int number = OPTION_FIRST + (int)(o - c->options);
		longs[n++] = (struct option){o->name, o->value ? required_argument : no_argument, NULL, number};
		if (o->letter) {
			*letters++ = o->letter;
			if (o->value)
				*letters++ = ':';
		}
	}
	longs[n] = (struct option){0};
	*letters = 0;
	return n;
}

static int option_index(const struct command *c, int got)
{
	if (got >= OPTION_FIRST)
		return got - OPTION_FIRST;
	for (const struct option_spec *o = c->options; o && o->name; o++)
		if (o->letter == got)
			return (int)(o - c->options);
	return -1;
}

static void set_option(struct args *a, int index, const char *value)
{
	const char *name = a->command->options[index].name;
	a->values[index] = value ? value : "";
	if ((strcmp(name, "tag") == 0 || strcmp(name, "set") == 0) && a->repeated_n < (int)ARRAY_SIZE(a->repeated))
		a->repeated[a->repeated_n++] = value;
}

/* -1: go on; else the exit code. */
static int read_options(struct args *a, int argc, char **argv)
{
	struct option longs[40];
	char letters[80];
	fill_options(a->command, longs, letters);
	optind = 1;
	for (int got; (got = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		if (got == '?')
			return complain(EXIT_USAGE, "see `reeve %s %s --help`", a->command->noun, a->command->verb);
		if (got == OPTION_HELP) {
			print_command_help(a->command);
			return EXIT_OK;
		}
		if (got == OPTION_JSON)
			a->json = true;
		else if (got == OPTION_SOCKET)
			client_socket = optarg;
		else
			set_option(a, option_index(a->command, got), optarg);
	}
	a->operands = (const char **)argv + optind;
	a->operand_n = argc - optind;
	if (a->operand_n < a->command->operands_min ||
		(a->command->operands_max >= 0 && a->operand_n > a->command->operands_max))
		return complain(EXIT_USAGE, "usage: reeve %s %s %s", a->command->noun, a->command->verb, a->command->operands);
	return -1;
}

const char *arg_option(const struct args *a, const char *name)
{
	for (const struct option_spec *o = a->command->options; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return a->values[o - a->command->options];
	abort(); /* a name that is not in the command's table */
}

/* ── finding the command ── */

static void find_program_directory(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n > 0) {
		path[n] = 0;
		program_directory = dirname(path);
	}
}

/* Options before the command: --socket PATH, --json, --help, --version. Returns how many words they took, or -1. */
static int read_leading(int argc, char **argv, struct args *a)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			client_socket = argv[++i];
		else if (strncmp(argv[i], "--socket=", 9) == 0)
			client_socket = argv[i] + 9;
		else
			return -i;
	}
	return i;
}

static int run_command(struct args *a, int argc, char **argv, int words)
{
	argv[words - 1] = argv[0]; /* getopt names the program in its messages */
	int code = read_options(a, argc - words + 1, argv + words - 1);
	return code >= 0 ? code : a->command->run(a);
}

static int unknown(const char *noun, const char *verb)
{
	if (is_noun(noun)) {
		if (verb && strcmp(verb, "--help") != 0)
			return complain(EXIT_USAGE, "`reeve %s` has no verb \"%s\"; see `reeve %s --help`", noun, verb, noun);
		print_help(noun);
		return verb ? EXIT_OK : EXIT_USAGE;
	}
	return complain(EXIT_USAGE, "there is no command \"%s\"; see `reeve --help`", noun);
}

static int find_and_run(int argc, char **argv)
{
	struct args a = {0};
	int first = read_leading(argc, argv, &a);
	if (first < 0 && strcmp(argv[-first], "--version") == 0)
		return find_command("version", "")->run(&a);
	if (first < 0 && strcmp(argv[-first], "--help") != 0 && strcmp(argv[-first], "-h") != 0)
		return complain(EXIT_USAGE, "unknown option %s; see `reeve --help`", argv[-first]);
	if (first < 0 || first >= argc) {
		print_help(NULL);
		return first < 0 ? EXIT_OK : EXIT_USAGE;
	}
	const char *noun = argv[first], *verb = first + 1 < argc ? argv[first + 1] : NULL;
	if ((a.command = find_command(noun, "")))
		return run_command(&a, argc, argv, first + 1);
	if (verb && (a.command = find_command(noun, verb)))
		return run_command(&a, argc, argv, first + 2);
	return unknown(noun, verb);
}

int main(int argc, char **argv)
{
	find_program_directory();
	client_socket = getenv("REEVE_SOCKET");
	int code = find_and_run(argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_OK) /* a full disk behind `>` is no success */
		return complain(EXIT_FAILED, "stdout: %m");
	return code;
}
