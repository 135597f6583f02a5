#include "upkeep/files.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

enum errcode files_remove(const char *path, struct err *e)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return err_errno(e, errno, "removing %s", path);
	return E_OK;
}

bool files_any(const char *directory, const char *except)
{
	DIR *d = opendir(directory);
	bool any = false;
	for (struct dirent *entry; d && !any && (entry = readdir(d));)
		any = entry->d_name[0] != '.' && strcmp(entry->d_name, except) != 0;
	if (d)
		closedir(d);
	return any;
}
