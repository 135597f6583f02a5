/* reeve help, and the manual pages: all from the tables that the commands are found in. */
#include "cli/cli.h"

#include "base/mem.h"
#include <reeve/version.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code;
	const char *meaning;
} exit_codes[] = {{EXIT_OK, "fine"}, {EXIT_FAILED, "failed: what was asked for, or the job, or the run"},
	{EXIT_USAGE, "usage: an option or operand that is not understood"},
	{EXIT_NOT_RUNNING, "no daemon runs there (status, down)"},
	{EXIT_UNKNOWN, "unknown: no such job, worker, pipeline, run, queue or blob"},
	{EXIT_UNREACHABLE, "the daemon cannot be reached"}, {EXIT_TRY_AGAIN, "try again later: full, busy or not ready"}};

static const struct {
	const char *name, *what;
} variables[] = {{"REEVE_SOCKET", "the daemon's socket, where --socket does not say"},
	{"NO_COLOR", "when not empty: no colours, also on a terminal"}};

/* "job submit", "up" */
static void name_of(const struct command *c, char name[64])
{
	snprintf(name, 64, "%s%s%s", c->noun, *c->verb ? " " : "", c->verb);
}

/* "-p, --priority 0-9" */
static void left_side(const struct option_spec *o, const char *no_letter, char left[80])
{
	char letter[8];
	snprintf(letter, sizeof letter, "-%c, ", o->letter);
	snprintf(
		left, 80, "%s--%s%s%s", o->letter ? letter : no_letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* ── on the terminal ── */

static void print_usage_line(const struct command *c)
{
	char name[64], line[128];
	name_of(c, name);
	snprintf(line, sizeof line, "reeve %s%s%s", name, *c->operands ? " " : "", c->operands);
	printf("  %-46s %s\n", line, c->summary);
}

void print_help(const char *noun)
{
	if (!noun)
		printf("reeve: one worker platform, any placement.\n\nUsage: reeve [--socket PATH] [--json] COMMAND ...\n\n");
	for (const struct command *const *t = all_commands(); *t; t++)
		for (const struct command *c = *t; c->noun; c++)
			if (!noun || strcmp(noun, c->noun) == 0)
				print_usage_line(c);
	printf("\nEvery command takes --help, --json and --socket PATH (or REEVE_SOCKET).\n"
		   "Exit codes: 0 fine, 1 failed, 2 usage, 3 not running, 4 unknown, 69 daemon unreachable, 75 try again.\n");
}

void print_command_help(const struct command *c)
{
	char name[64], left[80];
	name_of(c, name);
	printf("%s\n\nUsage: reeve %s %s%s\n", c->summary, name, c->options ? "[OPTION...] " : "", c->operands);
	if (c->options)
		printf("\n");
	for (const struct option_spec *o = c->options; o && o->name; o++) {
		left_side(o, "    ", left);
		printf("  %-30s %s\n", left, o->help);
	}
}

/* ── manual pages: man(7) or Markdown ── */

/* roff reads \ and - its own way. */
static void print_roff(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void man_item(const char *bold, const char *rest, const char *text)
{
	printf(".TP\n\\fB");
	print_roff(bold);
	printf("\\fR ");
	print_roff(rest);
	printf("\n");
	print_roff(text);
	printf("\n");
}

static void man_command(const struct command *c)
{
	char name[64], left[80];
	name_of(c, name);
	man_item(name, c->operands, c->summary);
	if (c->options)
		printf(".RS\n");
	for (const struct option_spec *o = c->options; o && o->name; o++) {
		left_side(o, "", left);
		man_item(left, "", o->help);
	}
	if (c->options)
		printf(".RE\n");
}

static void man_commands(void)
{
	printf(".SH COMMANDS\n");
	for (const struct command *const *t = all_commands(); *t; t++) {
		printf(".SS ");
		for (const char *n = (*t)->verb[0] ? (*t)->noun : "daemon"; *n; n++)
			putchar(toupper((unsigned char)*n));
		printf("\n");
		for (const struct command *c = *t; c->noun; c++)
			man_command(c);
	}
}

static void print_man(void)
{
	char number[12];
	printf(
		".TH REEVE 1 \"\" \"reeve " REEVE_VERSION "\" \"User Commands\"\n.SH NAME\nreeve \\- one worker platform, any "
		"placement\n.SH SYNOPSIS\n\\fBreeve\\fR [\\fB\\-\\-socket\\fR \\fIPATH\\fR] [\\fB\\-\\-json\\fR] "
		"\\fICOMMAND\\fR ...\n.SH DESCRIPTION\nStarts and stops a Reeve daemon and is its client: workers, durable "
		"jobs, pipelines.\n.SH OPTIONS\n");
	man_item("--socket PATH", "", "the daemon's socket");
	man_item("--json", "", "print the API's own answer");
	man_item("--help", "", "what the command takes");
	man_commands();
	printf(".SH EXIT STATUS\n");
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++) {
		snprintf(number, sizeof number, "%d", exit_codes[i].code);
		man_item(number, "", exit_codes[i].meaning);
	}
	printf(".SH ENVIRONMENT\n");
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		man_item(variables[i].name, "", variables[i].what);
	printf(".SH EXAMPLES\n.nf\nreeve up \\-\\-config reeve.yaml \\-\\-data\\-dir data \\-\\-detach\n"
		   "reeve job submit email.classify \\-\\-input @mail.json \\-\\-wait\n"
		   "reeve pipeline run email\\-processing \\-\\-input mail.mbox \\-\\-output result.json\n.fi\n");
}

static void markdown_command(const struct command *c)
{
	char name[64], left[80];
	name_of(c, name);
	printf("\n### reeve %s%s%s\n%s.\n", name, *c->operands ? " " : "", c->operands, c->summary);
	if (c->options)
		printf("\n| option | |\n|---|---|\n");
	for (const struct option_spec *o = c->options; o && o->name; o++) {
		left_side(o, "", left);
		printf("| `%s` | %s |\n", left, o->help);
	}
}

static void print_markdown(void)
{
	for (const struct command *const *t = all_commands(); *t; t++) {
		printf("\n## %s\n", (*t)->verb[0] ? (*t)->noun : "daemon");
		for (const struct command *c = *t; c->noun; c++)
			markdown_command(c);
	}
	printf("\n## Exit codes\n\n| code | |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++)
		printf("| %d | %s |\n", exit_codes[i].code, exit_codes[i].meaning);
	printf("\n## Environment\n\n| variable | |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		printf("| `%s` | %s |\n", variables[i].name, variables[i].what);
}

static const struct option_spec help_options[] = {{"man", 0, NULL, "print the manual page reeve(1)"},
	{"markdown", 0, NULL, "print docs/reference/command-line.md from its first table on"}, {0}};

static int help(const struct args *a)
{
	const struct command *c =
		a->operand_n ? find_command(a->operands[0], a->operand_n > 1 ? a->operands[1] : "") : NULL;
	if (arg_option(a, "man"))
		print_man();
	else if (arg_option(a, "markdown"))
		print_markdown();
	else if (c)
		print_command_help(c);
	else if (a->operand_n == 0)
		print_help(NULL);
	else if (a->operand_n == 1 && is_noun(a->operands[0]))
		print_help(a->operands[0]);
	else
		return complain(EXIT_USAGE, "there is no command \"%s%s%s\"; see `reeve help`", a->operands[0],
			a->operand_n > 1 ? " " : "", a->operand_n > 1 ? a->operands[1] : "");
	return EXIT_OK;
}

const struct command help_commands[] = {
	{"help", "", "[NOUN [VERB]]", "Say what commands there are, or what one takes", help_options, 0, 2, help},
	{0},
};
