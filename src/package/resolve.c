#include "package/resolve.h"

#include "base/mem.h"
#include "base/units.h"
#include "os/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **copy_texts(char *const *texts)
{
	size_t n = 0;
	while (texts && texts[n])
		n++;
	char **copy = mem_new((n + 1) * sizeof *copy);
	for (size_t k = 0; k < n; k++)
		copy[k] = mem_text(texts[k]);
	return copy;
}

void resolve_fini(struct resolve_result *r)
{
	char *texts[] = {
		r->executable, r->module, r->entry_point, r->directory, r->package, r->version, r->health_endpoint};
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		free(texts[k]);
	for (size_t k = 0; r->args && r->args[k]; k++)
		free(r->args[k]);
	free(r->args);
	*r = (struct resolve_result){0};
}

static bool join_existing(char *into, size_t size, const char *directory, const char *path)
{
	return directory && path_join(into, size, directory, path, NULL) == E_OK && access(into, F_OK) == 0;
}

/* Absolute as it is; else in the package's folder, else from the configuration's folder. */
static enum errcode find_file(
	const char *what, const char *path, const struct package *p, const char *base, char **out, struct err *e)
{
	char full[4200];
	bool found = *path == '/' ? join_existing(full, sizeof full, "/", path)
							  : (p && join_existing(full, sizeof full, p->directory, path)) ||
									join_existing(full, sizeof full, base, path);
	if (!found)
		return err_set(e, E_NOT_FOUND, "%s %s does not exist%s%s%s%s", what, path, p ? "; package folder: " : "",
			p ? p->directory : "", *path != '/' && base ? "; configuration folder: " : "",
			*path != '/' && base ? base : "");
	char *real = realpath(full, NULL);
	*out = real ? real : mem_text(full);
	return E_OK;
}

static enum errcode find_executable(
	const char *path, const struct package *p, const char *base, char **out, struct err *e)
{
	char full[4200];
	if (!strchr(path, '/') && path_find_program(path, NULL, full, sizeof full, NULL) == E_OK &&
		!(p && join_existing((char[4200]){0}, 4200, p->directory, path))) {
		*out = mem_text(full);
		return E_OK;
	}
	enum errcode code = find_file("executable", path, p, base, out, e);
	if (code == E_OK && access(*out, X_OK) != 0) {
		code = err_set(e, E_DENIED, "executable %s may not be executed; its mode lacks x", *out);
		free(*out);
		*out = NULL;
	}
	return code;
}

static enum errcode check_dependencies(const struct package_path *path, const struct package *p, struct err *e)
{
	for (size_t k = 0; k < p->dependency_n; k++) {
		struct package *found;
		enum errcode code = package_find(path, p->dependencies[k].name, p->dependencies[k].range, &found, e);
		if (code != E_OK) {
			err_prefix(e, "package %s needs %s", p->name, p->dependencies[k].name);
			return code;
		}
		package_free(found);
	}
	return E_OK;
}

static enum errcode check_type(const struct resolve_request *r, const struct package *p, struct err *e)
{
	if (r->module && !p->module && !r->module_path)
		return err_set(e, E_INVALID, "package %s %s supports type process only; it has no module", p->name, p->version);
	if (!r->module && !p->process && !r->executable_path)
		return err_set(
			e, E_INVALID, "package %s %s supports type module only; it has no executable", p->name, p->version);
	return E_OK;
}

static enum errcode find_code(const struct resolve_request *r, const struct package *p, const char *base,
	struct resolve_result *out, struct err *e)
{
	const char *executable = r->executable_path ? r->executable_path : p ? p->executable_path : NULL;
	const char *module = r->module_path ? r->module_path : p ? p->module_path : NULL;
	const char *entry = r->entry_point ? r->entry_point : p && p->entry_point ? p->entry_point : "reeve_export";
	enum errcode code = E_OK;
	if (r->module)
		code = find_file("module", module ? module : "(none)", p, base, &out->module, e);
	else if (executable)
		code = find_executable(executable, p, base, &out->executable, e);
	else if (r->executable_needed)
		code = err_set(e, E_INVALID, "no executable is named: give package or execution.executable_path");
	if (code != E_OK)
		return code;
	out->entry_point = mem_text(entry);
	out->args = copy_texts(r->args ? r->args : p ? p->args : NULL);
	if (p) {
		out->directory = mem_text(p->directory);
		out->package = mem_text(p->name);
		out->version = mem_text(p->version);
		out->health_endpoint = mem_text(p->health_endpoint);
		if (p->health_interval)
			units_duration(
				bytes_of(p->health_interval), &out->health_interval_ms, NULL); /* checked by the schema's format */
	}
	return E_OK;
}

/* Everything that the type needs is named explicitly: then a package that is not installed is no obstacle. */
static bool explicit_paths(const struct resolve_request *r)
{
	return r->module ? r->module_path != NULL : r->executable_path != NULL;
}

enum errcode resolve_code(const struct package_path *path, const char *base_directory, const struct resolve_request *r,
	struct resolve_result *out, struct err *e)
{
	struct package *p = NULL;
	struct resolve_result found = {0};
	enum errcode code = E_OK;
	if (r->package_name) {
		code = package_find(path, r->package_name, r->package_range, &p, e);
		if (code == E_NOT_FOUND && explicit_paths(r))
			code = E_OK;
		else if (code == E_OK)
			code = check_type(r, p, e);
		if (code == E_OK && p)
			code = check_dependencies(path, p, e);
	}
	if (code == E_OK)
		code = find_code(r, p, base_directory, &found, e);
	package_free(p);
	if (code == E_OK)
		*out = found;
	else
		resolve_fini(&found);
	return code;
}
