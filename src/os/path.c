#include "os/path.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum errcode path_join(char *into, size_t size, const char *directory, const char *name, struct err *e)
{
	char both[PATH_MAX];
	int n = name[0] == '/' || !directory ? snprintf(both, sizeof both, "%s", name)
										 : snprintf(both, sizeof both, "%s/%s", directory, name);
	if (n < 0 || (size_t)n >= sizeof both || (size_t)n >= size)
		return err_set(e, E_INVALID, "the path \"%.80s...\" is too long: %d bytes, at most %zu", both, n, size - 1);
	memcpy(into, both, (size_t)n + 1);
	return E_OK;
}

static enum errcode make_one(const char *path, mode_t mode, struct err *e)
{
	struct stat st;
	if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return E_OK;
	return err_errno(e, errno, "making the directory %s", path);
}

enum errcode path_make_directory(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	if (strlen(path) >= sizeof part)
		return err_set(e, E_INVALID, "the path \"%.80s...\" is too long: at most %d bytes", path, PATH_MAX - 1);
	strcpy(part, path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		enum errcode code = make_one(part, mode, e);
		if (code != E_OK)
			return code;
		*slash = '/';
	}
	return make_one(part, mode, e);
}

static enum errcode check_program(const char *path, struct err *e)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return err_set(e, E_NOT_FOUND, "executable not found: %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_DENIED, "%s is not a file", path);
	if (access(path, X_OK) < 0)
		return err_set(e, E_DENIED, "%s is not executable (chmod +x it)", path);
	return E_OK;
}

static enum errcode find_in_path(const char *name, char *into, size_t size, struct err *e)
{
	const char *list = getenv("PATH");
	scoped(mem_free_at) char *copy = mem_text(list && *list ? list : "/usr/local/bin:/usr/bin:/bin");
	char *rest = copy, *directory;
	while ((directory = strsep(&rest, ":"))) {
		char found[PATH_MAX];
		if (path_join(found, sizeof found, *directory ? directory : ".", name, NULL) == E_OK &&
			check_program(found, NULL) == E_OK)
			return path_join(into, size, NULL, found, e);
	}
	return err_set(e, E_NOT_FOUND, "executable not found: %s is in no directory of PATH (%s)", name, list ? list : "");
}

enum errcode path_find_program(const char *name, const char *directory, char *into, size_t size, struct err *e)
{
	if (!strchr(name, '/'))
		return find_in_path(name, into, size, e);
	char found[PATH_MAX];
	enum errcode code = path_join(found, sizeof found, directory, name, e);
	if (code == E_OK)
		code = check_program(found, e);
	return code == E_OK ? path_join(into, size, NULL, found, e) : code;
}
