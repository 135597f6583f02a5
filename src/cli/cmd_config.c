/* reeve config ...: the engine owns the schema, so it does the checking */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_engine(char *const argv[])
{
	char beside[PATH_MAX], installed[PATH_MAX];
	snprintf(beside, sizeof beside, "%s/reeve-engine", program_directory);
	snprintf(installed, sizeof installed, "%s/../libexec/reeve/reeve-engine", program_directory);
	pid_t child = fork();
	if (child == 0) {
		execv(beside, argv);
		execv(installed, argv);
		_exit(127);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return complain(EXIT_FAILED, "reeve-engine: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return complain(EXIT_FAILED, "reeve-engine cannot be run: neither %s nor %s", beside, installed);
	return WEXITSTATUS(status);
}

static int config_check(const struct args *a)
{
	int code = run_engine((char *[]){"reeve-engine", "--check", "--config", (char *)a->operands[0], NULL});
	if (!code && a->json)
		printf("{\"valid\": true}\n");
	else if (!code)
		printf("%s is valid\n", a->operands[0]);
	return code;
}

static int config_schema(const struct args *a)
{
	return run_engine((char *[]){"reeve-engine", "--schema", NULL});
}

const struct command config_commands[] = {
	{"config", "check", "FILE", "Check a configuration; errors say file:line:column", NULL, 1, 1, config_check},
	{"config", "schema", "", "Print the configuration's JSON Schema", NULL, 0, 0, config_schema},
	{0},
};
