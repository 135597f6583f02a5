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

static void print_cases(void)
{
	for (const struct command *const *t = all_commands(); *t; t++) {
		if (!(*t)->verb[0])
			continue;
		printf("\t%s) words=\"", (*t)->noun);
		print_verbs(*t);
		printf("\" ;;\n");
	}
}

static int completion_bash(const struct args *a)
{
	printf("# bash completion for reeve: source <(reeve completion bash)\n_reeve() {\n\tlocal words\n\tcase "
		   "\"${COMP_WORDS[1]}\" in\n");
	print_cases();
	printf("\t*) words=\"\" ;;\n\tesac\n\t[ \"$COMP_CWORD\" = 1 ] && words=\"");
	print_nouns();
	printf("\"\n\t[ \"$COMP_CWORD\" -gt 2 ] && words=\"\"\n"
		   "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
		   "\t[ -n \"$words\" ] || mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\ncomplete "
		   "-F _reeve reeve\n");
	return EXIT_OK;
}

const struct command completion_commands[] = {
	{"completion", "bash", "", "Print completion for bash", NULL, 0, 0, completion_bash},
	{0},
};
