/* reeve config ...: the engine owns the schema, so it does the checking */
#include "cli/cli.h"

#include <stdio.h>

static int config_check(const struct args *a)
{
	int code = engine_run((char *[]){"reeve-engine", "--check", "--config", (char *)a->operands[0], NULL}, NULL, NULL);
	if (!code && a->json)
		printf("{\"valid\": true}\n");
	else if (!code)
		printf("%s is valid\n", a->operands[0]);
	return code;
}

static int config_schema(const struct args *a)
{
	return engine_run((char *[]){"reeve-engine", "--schema", NULL}, NULL, NULL);
}

const struct command config_commands[] = {
	{"config", "check", "FILE", "Check a configuration; errors say file:line:column", NULL, 1, 1, config_check},
	{"config", "schema", "", "Print the configuration's JSON Schema", NULL, 0, 0, config_schema},
	{0},
};
