/* Asks reeve-engine what only it knows: whether a configuration is right, where its daemon lives. */
#include "cli/cli.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

static void read_all(int fd, struct buf *out)
{
	for (ssize_t n; (n = read(fd, buf_reserve(out, 4096), 4096)) > 0;)
		out->size += (size_t)n;
	buf_add(out, "", 0); /* a NUL behind it */
}

int engine_run(char *const argv[], struct buf *out)
{
	int ends[2] = {-1, -1}, status;
	if (out && pipe2(ends, O_CLOEXEC) != 0)
		return complain(EXIT_FAILED, "pipe: %m");
	pid_t child = fork();
	if (child == 0)
		exec_engine(argv, ends[1]);
	if (out) {
		close(ends[1]);
		read_all(ends[0], out);
		close(ends[0]);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return complain(EXIT_FAILED, "reeve-engine: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return complain(EXIT_FAILED, "reeve-engine cannot be run: it is not in %s", program_directory);
	return WEXITSTATUS(status);
}
