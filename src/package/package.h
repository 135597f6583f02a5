/* package.h - an installable worker: package.yaml and the files it names.
 *
 * A package is a folder. package.yaml in it says which executable and which module it brings; their paths are relative to
 * the folder and may not leave it. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct package_dependency {
	char *name, *range;
};

struct package {
	char *name, *version, *description;
	char *directory; /* absolute */
	bool process, module; /* supported_types */
	char *executable_path, **args; /* as written; args NULL last */
	char *module_path, *entry_point;
	struct package_dependency *dependencies;
	size_t dependency_n;
	char *health_endpoint, *health_interval;
};

/* The JSON Schema of package.yaml. */
extern const char *const package_schema;

/* From JSON that package_schema has accepted; `directory` is where the file stands. */
enum errcode package_parse(const json_t *json, const char *directory, struct package **out, struct err *e);
void package_free(struct package *p);

/* Reads a YAML file and checks it against a schema: given by the wiring, as config/ stands beside us and not below. */
typedef enum errcode package_reader(void *context, const char *path, const char *schema, json_t **out, struct err *e);

/* Finds name in the search path: <dir>/<name>/package.yaml, <dir>/<name>-<version>/package.yaml. Among those whose version is
 * in `range` ("1.2.3", ">=1 <2", "" or NULL: any) the greatest wins. E_NOT_FOUND names where it looked and what it found. */
struct package_path {
	const char *const *directories; /* NULL last; in order */
	package_reader *read;
	void *context;
};
enum errcode package_find(
	const struct package_path *path, const char *name, const char *range, struct package **out, struct err *e);
