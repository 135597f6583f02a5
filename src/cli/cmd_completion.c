/* reeve completion bash: written from the same tables that the commands are found in */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_nouns(void)
{
	const char *last = "";
	for (const struct command *const *t = all_commands(); *t; t++)
		for (const struct command *c = *t; c->noun; c++)
			if (strcmp(last, c->noun) != 0)
				printf("%s ", last = c->noun);
}

static void print_verbs(const struct command *table)
{
	for (const struct command *c = table; c->noun; c++)
		printf("%s ", c->verb);
}

static void print_verb_cases(void)
{
	for (const struct command *const *t = all_commands(); *t; t++) {
		if (!(*t)->verb[0])
			continue;
		printf("\t%s) words=\"", (*t)->noun);
		print_verbs(*t);
		printf("\" ;;\n");
	}
}

static void print_option_cases(void)
{
	for (const struct command *const *t = all_commands(); *t; t++)
		for (const struct command *c = *t; c->noun; c++) {
			printf("\t\"%s%s%s\"%s) words=\"--help --json --socket", c->noun, *c->verb ? " " : "", c->verb,
				*c->verb ? "" : "*");
			for (const struct option_spec *o = c->options; o && o->name; o++)
				printf(" --%s", o->name);
			printf("\" ;;\n");
		}
}

static int completion_bash(const struct args *a)
{
	printf("# bash completion for reeve: source <(reeve completion bash)\n_reeve() {\n"
		   "\tlocal words=\"\" word=\"${COMP_WORDS[COMP_CWORD]}\"\n\tif [[ \"$word\" == -* ]]; then\n"
		   "\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
	print_option_cases();
	printf("\tesac\n\telif [ \"$COMP_CWORD\" = 1 ]; then words=\"");
	print_nouns();
	printf("\"\n\telif [ \"$COMP_CWORD\" = 2 ]; then\n\tcase \"${COMP_WORDS[1]}\" in\n");
	print_verb_cases();
	printf("\tesac\n\tfi\n\tif [ -n \"$words\" ]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
		   "\telse mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); fi\n}\ncomplete -F _reeve reeve\n");
	return EXIT_OK;
}

const struct command completion_commands[] = {
	{"completion", "bash", "", "Print completion for bash", NULL, 0, 0, completion_bash},
	{0},
};
