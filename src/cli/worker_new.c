/* reeve worker new NAME: a copy of the worker template with the name put in */
#include "cli/cli.h"

#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "@NAME@"

static bool name_valid(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > 64 || !islower((unsigned char)name[0]))
		return false;
	for (const char *c = name; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-')
			return false;
	return true;
}

/* Installed beside the program, or in the source tree that it was built from. */
static bool find_template(char path[PATH_MAX])
{
	static const char *const places[] = {"../share/reeve/worker-template", "../tools/worker-template"};
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, PATH_MAX, "%s/%s", program_directory, places[i]);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static char *put_name(const char *text, const char *name)
{
	struct buf out = {0};
	for (const char *at; (at = strstr(text, PLACE)); text = at + strlen(PLACE)) {
		buf_add(&out, text, (size_t)(at - text));
		buf_text(&out, name);
	}
	buf_text(&out, text);
	return buf_take(&out);
}

static int copy_file(const char *from, const char *to, mode_t mode, const char *name)
{
	scoped(mem_free_at) char *text = read_file(from, NULL);
	if (!text)
		return EXIT_FAILED;
	scoped(mem_free_at) char *named = put_name(text, name);
	FILE *f = fopen(to, "wx");
	if (!f)
		return complain(EXIT_FAILED, "%s: %m", to);
	bool written = fputs(named, f) >= 0 && fchmod(fileno(f), mode & 0777) == 0;
	if (fclose(f) != 0 || !written)
		return complain(EXIT_FAILED, "%s: %m", to);
	printf("wrote %s\n", to);
	return EXIT_OK;
}

static int copy_template(const char *template, const char *name)
{
	DIR *d = opendir(template);
	if (!d)
		return complain(EXIT_FAILED, "%s: %m", template);
	int code = EXIT_OK;
	for (struct dirent *entry; !code && (entry = readdir(d));) {
		scoped(buf_fini) struct buf from = {0}, to = {0};
		struct stat st;
		scoped(mem_free_at) char *file = put_name(entry->d_name, name);
		buf_format(&from, "%s/%s", template, entry->d_name);
		buf_format(&to, "%s/%s", name, file);
		if (stat(from.data, &st) == 0 && S_ISREG(st.st_mode))
			code = copy_file(from.data, to.data, st.st_mode, name);
	}
	closedir(d);
	return code;
}

int worker_new(const struct args *a)
{
	char template[PATH_MAX];
	const char *name = a->operands[0];
	if (!name_valid(name))
		return complain(EXIT_USAGE,
			"\"%s\": a worker's name is lower-case letters, digits and dashes, a letter first, at most 64", name);
	if (!find_template(template))
		return complain(EXIT_FAILED, "the worker template is not installed (looked at %s)", template);
	if (mkdir(name, 0777) != 0)
		return complain(EXIT_FAILED, "%s: %m", name);
	int code = copy_template(template, name);
	if (!code)
		printf("now: cd %s && make && make run\n", name);
	return code;
}
