#include "package/package.h"

#include "base/mem.h"
#include "package/semver.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_TEXT "{\"type\":\"string\",\"minLength\":1,\"maxLength\":4095}"

static const char schema_text[] =
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"version\",\"supported_types\"],"
	"\"properties\":{"
	"\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,\"pattern\":\"^[A-Za-z0-9][A-Za-z0-9._-]*$\"},"
	"\"version\":{\"type\":\"string\",\"minLength\":5,\"maxLength\":128},"
	"\"description\":{\"type\":\"string\",\"maxLength\":4096},"
	"\"license\":{\"type\":\"string\",\"maxLength\":256},"
	"\"supported_types\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"enum\":[\"process\",\"module\"]"
	"}},"
	"\"process\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"executable_path\"],\"properties\":"
	"{"
	"\"executable_path\":" PATH_TEXT
	",\"args\":{\"type\":\"array\",\"maxItems\":1024,\"items\":{\"type\":\"string\"}}}},"
	"\"module\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"module_path\"],\"properties\":{"
	"\"module_path\":" PATH_TEXT ",\"entry_point\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}},"
	"\"dependencies\":{\"type\":\"array\",\"maxItems\":256,\"items\":{\"type\":\"object\",\"additionalProperties\":"
	"false,"
	"\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1},"
	"\"version\":{\"type\":\"string\"}}}},"
	"\"health_check\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"endpoint\":{\"type\":\"string\",\"pattern\":\"^(/|https?://)\"},"
	"\"interval\":{\"type\":\"string\",\"format\":\"duration\"}}}}}";

const char *const package_schema = schema_text;

static char *text_of(const json_t *object, const char *name)
{
	return mem_text(json_string_value(json_object_get(object, name)));
}

static void read_dependencies(struct package *p, const json_t *list)
{
	size_t k;
	json_t *x;
	p->dependencies = mem_new((json_array_size(list) + 1) * sizeof *p->dependencies);
	json_array_foreach(list, k, x) p->dependencies[p->dependency_n++] =
		(struct package_dependency){text_of(x, "name"), text_of(x, "version")};
}

static void read_types(struct package *p, const json_t *types)
{
	size_t k;
	json_t *x;
	json_array_foreach(types, k, x)
	{
		p->process |= strcmp(json_string_value(x), "process") == 0;
		p->module |= strcmp(json_string_value(x), "module") == 0;
	}
}

/* Paths of a package stay within it. */
static bool inside(const char *path)
{
	if (!path)
		return true;
	if (*path == '/')
		return false;
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
			return false;
	}
	return true;
}

static enum errcode check(const struct package *p, struct err *e)
{
	struct semver v;
	if (!semver_parse(p->version, &v))
		return err_set(
			e, E_INVALID, "package %s: version \"%s\" is no semantic version such as 1.2.3", p->name, p->version);
	if (p->process && !p->executable_path)
		return err_set(e, E_INVALID, "package %s supports process, but has no process.executable_path", p->name);
	if (p->module && !p->module_path)
		return err_set(e, E_INVALID, "package %s supports module, but has no module.module_path", p->name);
	if (!inside(p->executable_path) || !inside(p->module_path))
		return err_set(e, E_INVALID, "package %s: the path \"%s\" leaves the package; paths are relative to its folder",
			p->name, inside(p->executable_path) ? p->module_path : p->executable_path);
	for (size_t k = 0; k < p->dependency_n; k++)
		if (!semver_range_valid(p->dependencies[k].range))
			return err_set(e, E_INVALID,
				"package %s: the version \"%s\" of dependency %s is no range such as \">=2.1.0 <3\"", p->name,
				p->dependencies[k].range, p->dependencies[k].name);
	return E_OK;
}

enum errcode package_parse(const json_t *json, const char *directory, struct package **out, struct err *e)
{
	struct package *p = NEW(struct package);
	const json_t *process = json_object_get(json, "process"), *module = json_object_get(json, "module");
	const json_t *health = json_object_get(json, "health_check");
	p->name = text_of(json, "name");
	p->version = text_of(json, "version");
	p->description = text_of(json, "description");
	p->directory = mem_text(directory);
	read_types(p, json_object_get(json, "supported_types"));
	p->executable_path = text_of(process, "executable_path");
	const json_t *args = json_object_get(process, "args");
	p->args = mem_new((json_array_size(args) + 1) * sizeof *p->args);
	for (size_t k = 0; k < json_array_size(args); k++)
		p->args[k] = mem_text(json_string_value(json_array_get(args, k)));
	p->module_path = text_of(module, "module_path");
	p->entry_point = text_of(module, "entry_point");
	read_dependencies(p, json_object_get(json, "dependencies"));
	p->health_endpoint = text_of(health, "endpoint");
	p->health_interval = text_of(health, "interval");
	enum errcode code = check(p, e);
	if (code != E_OK) {
		package_free(p);
		return code;
	}
	*out = p;
	return E_OK;
}

void package_free(struct package *p)
{
	if (!p)
		return;
	for (size_t k = 0; p->args && p->args[k]; k++)
		free(p->args[k]);
	for (size_t k = 0; k < p->dependency_n; k++) {
		free(p->dependencies[k].name);
		free(p->dependencies[k].range);
	}
	char *texts[] = {p->name, p->version, p->description, p->directory, p->executable_path, p->module_path,
		p->entry_point, p->health_endpoint, p->health_interval};
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
		free(texts[k]);
	free(p->args);
	free(p->dependencies);
	free(p);
}

/* ── search ── */

struct search {
	const struct package_path *path;
	const char *name, *range;
	struct package *best;
	struct buf seen; /* versions that did not fit */
};

static enum errcode read_one(struct search *s, const char *directory, struct package **out, struct err *e)
{
	char file[4200];
	json_t *json;
	snprintf(file, sizeof file, "%s/package.yaml", directory);
	enum errcode code = s->path->read(s->path->context, file, package_schema, &json, e);
	if (code != E_OK)
		return code;
	code = package_parse(json, directory, out, e);
	json_decref(json);
	return code == E_OK ? E_OK : (err_prefix(e, "%s", file), code);
}

static bool newer(const struct package *a, const struct package *b)
{
	struct semver x, y;
	return semver_parse(a->version, &x) && semver_parse(b->version, &y) && semver_compare(&x, &y) > 0;
}

static enum errcode consider(struct search *s, const char *directory, struct err *e)
{
	struct package *p;
	struct semver v;
	enum errcode code = read_one(s, directory, &p, e);
	if (code != E_OK)
		return code;
	bool fits = strcmp(p->name, s->name) == 0 && semver_parse(p->version, &v) && semver_in_range(&v, s->range);
	if (!fits && strcmp(p->name, s->name) == 0)
		buf_format(&s->seen, "%s%s in %s", s->seen.size ? ", " : "", p->version, directory);
	if (fits && (!s->best || newer(p, s->best))) {
		package_free(s->best);
		s->best = p;
	} else {
		package_free(p);
	}
	return E_OK;
}

static bool has_file(const char *directory)
{
	char file[4200];
	snprintf(file, sizeof file, "%s/package.yaml", directory);
	return access(file, R_OK) == 0;
}

/* <directory>/<name>, <directory>/<name>-<version> */
static enum errcode look_in(struct search *s, const char *directory, struct err *e)
{
	size_t n = strlen(s->name);
	enum errcode code = E_OK;
	DIR *d = opendir(directory);
	for (struct dirent *x; code == E_OK && d && (x = readdir(d));) {
		char path[4100];
		if (strncmp(x->d_name, s->name, n) != 0 || (x->d_name[n] && x->d_name[n] != '-'))
			continue;
		snprintf(path, sizeof path, "%s/%s", directory, x->d_name);
		if (has_file(path))
			code = consider(s, path, e);
	}
	if (d)
		closedir(d);
	return code;
}

enum errcode package_find(
	const struct package_path *path, const char *name, const char *range, struct package **out, struct err *e)
{
	struct search s = {.path = path, .name = name, .range = range};
	struct buf looked = {0};
	enum errcode code = E_OK;
	if (!semver_range_valid(range))
		return err_set(e, E_INVALID, "\"%s\" is no version range of package %s; right would be 1.2.3 or \">=1.2 <2\"",
			range, name);
	for (size_t k = 0; code == E_OK && !s.best && path->directories[k]; k++) {
		buf_format(&looked, "%s%s", k ? ", " : "", path->directories[k]);
		code = look_in(&s, path->directories[k], e);
	}
	if (code == E_OK && !s.best)
		code = err_set(e, E_NOT_FOUND, "package %s%s%s was not found; looked in %s%s%s", name, range ? ":" : "",
			range ? range : "", looked.size ? looked.data : "no folder", s.seen.size ? "; there is " : "",
			s.seen.size ? s.seen.data : "");
	if (code == E_OK)
		*out = s.best;
	else
		package_free(s.best);
	buf_fini(&s.seen);
	buf_fini(&looked);
	return code;
}
