/* resolve.h - where a worker's code is: its package, or the paths it names itself. */
#pragma once
#include "base/err.h"
#include "package/package.h"

struct resolve_request { /* from the worker's declaration; all may be NULL but one of package_name and a path */
	bool module; /* the type: module, else process */
	const char *package_name, *package_range;
	const char *executable_path, *module_path, *entry_point;
	char *const *args; /* NULL: the package's */
	bool executable_needed; /* false: its capabilities are commands (exec) */
};

struct resolve_result { /* heap; resolve_fini */
	char *executable, **args, *module, *entry_point, *directory, *package, *version;
	char *health_endpoint; /* the package's, or NULL */
	int64_t health_interval_ms; /* 0: not said */
};

/* An explicit path wins over the package's (absolute as it is; relative ones are looked for in the package's folder, then from the
 * configuration's). Mismatches are reported: a type that the package does not support, a path that does not exist or is not
 * executable (E_NOT_FOUND "executable … does not exist"), a dependency that is missing. */
enum errcode resolve_code(const struct package_path *path, const char *base_directory, const struct resolve_request *r,
	struct resolve_result *out, struct err *e);
void resolve_fini(struct resolve_result *r);
