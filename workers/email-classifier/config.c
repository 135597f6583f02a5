/* config.c - the configuration, and where the models lie when it does not say. */
#include "config.h"

#include <dlfcn.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "judge.h"

/* A module does not know its path, but the loader does: it is asked where this very object was loaded from. */
static void config_beside(char *out, size_t size)
{
	static const char here;
	char real[PATH_MAX];
	Dl_info info;
	const char *path =
		dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
	if (!realpath(path, real) && !realpath("/proc/self/exe", real)) /* of a program the loader only knows argv[0] */
		snprintf(real, sizeof real, "./.");
	char *slash = strrchr(real, '/');
	snprintf(out, size, "%.*s/models", slash ? (int)(slash - real) : 1, slash ? real : ".");
}

int config_read(struct config *c, const char *json, size_t size, char *why, size_t why_size)
{
	const char *model_dir = NULL, *language_dir = JUDGE_LANGUAGE_DIR;
	json_error_t e;
	c->threshold = 0;
	json_t *root = size ? json_loadb(json, size, 0, &e) : json_object();
	if (!root || json_unpack_ex(root, &e, 0, "{s?s, s?s, s?F}", "model_dir", &model_dir, "language_dir", &language_dir,
					 "confidence_threshold", &c->threshold)) {
		snprintf(why, why_size, "configuration: %s", e.text);
		json_decref(root);
		return -1;
	}
	config_beside(c->model_dir, sizeof c->model_dir);
	if (model_dir)
		snprintf(c->model_dir, sizeof c->model_dir, "%s", model_dir);
	snprintf(c->language_dir, sizeof c->language_dir, "%s", language_dir);
	json_decref(root);
	if (!(c->threshold >= 0 && c->threshold <= 1)) {
		snprintf(why, why_size, "configuration: confidence_threshold %g is not from 0 to 1", c->threshold);
		return -1;
	}
	return 0;
}
