/* Asks reeve-engine what only it knows: whether a configuration is right, where its daemon lives. */
#include "cli/cli.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void exec_engine(char *const argv[], int out)
{
	char beside[PATH_MAX], installed[PATH_MAX];
	snprintf(beside, sizeof beside, "%s/reeve-engine", program_directory);
	snprintf(installed, sizeof installed, "%s/../libexec/reeve/reeve-engine", program_directory);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	execv(beside, argv);
	execv(installed, argv);
	_exit(127);
}

static void read_lines(int fd, void (*line)(void *context, char *line), void *context)
{
	FILE *f = fdopen(fd, "r");
	char *text = NULL;
	size_t room = 0;
	for (ssize_t n; f && (n = getline(&text, &room, f)) > 0;) {
		text[strcspn(text, "\n")] = 0;
		line(context, text);
	}
	free(text);
	if (f)
		fclose(f);
}

int engine_run(char *const argv[], void (*line)(void *context, char *line), void *context)
{
	int ends[2] = {-1, -1}, status;
	if (line && pipe2(ends, O_CLOEXEC) != 0)
		return complain(EXIT_FAILED, "pipe: %m");
	pid_t child = fork();
	if (child == 0)
		exec_engine(argv, ends[1]);
	if (line) {
		close(ends[1]);
		read_lines(ends[0], line, context);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return complain(EXIT_FAILED, "reeve-engine: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return complain(EXIT_FAILED, "reeve-engine cannot be run: it is not in %s", program_directory);
	return WEXITSTATUS(status);
}

const char *engine_config(const struct args *a)
{
	const char *given = arg_option(a, "config");
	return given ? given : access(DEFAULT_CONFIG, R_OK) == 0 ? DEFAULT_CONFIG : NULL;
}

int engine_add_places(const struct args *a, char **argv, int n)
{
	const char *const pairs[][2] = {
		{"--config", engine_config(a)}, {"--data-dir", arg_option(a, "data-dir")}, {"--socket", client_socket}};
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (!pairs[i][1])
			continue;
		argv[n++] = (char *)pairs[i][0];
		argv[n++] = (char *)pairs[i][1];
	}
	return n;
}
