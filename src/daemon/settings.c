#include "daemon/settings.h"

#include "base/mem.h"
#include "base/units.h"
#include "blob/collect.h"
#include "config/config.h"
#include "worker/order.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef REEVE_PACKAGES
#define REEVE_PACKAGES "/usr/lib/reeve/workers"
#endif
#define INSTALLED "/../libexec/reeve/workers" /* from bin/; meson.build of each worker installs there */

#define DURATION(about) "{\"type\":\"string\",\"format\":\"duration\",\"description\":\"" about "\"}"
#define COUNT(about)	"{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"description\":\"" about "\"}"
/* clang-format off */
#define LIMITS                                                                                                         \
	"\"timeout\":" DURATION("of one attempt; 15m") ","                                                                 \
	"\"max_attempts\":" COUNT("after so many it is a dead letter; 3") ","                                              \
	"\"max_crashes\":" COUNT("after so many deaths of its worker, too; 3") ","                                         \
	"\"retry_delay\":" DURATION("wait after the first failure, doubled each time; 1s") ","                             \
	"\"retry_cap\":" DURATION("the longest wait; 5m") ","                                                              \
	"\"keep_results\":" DURATION("how long a result can be asked for; 7d") ","                                         \
	"\"keep_dead\":" DURATION("how long a dead letter is kept; 0s is for ever; 180d") ","                              \
	"\"max_dead\":" NUMBER("integer", "0", "50000000", "dead letters that are kept, the newest; 0 is any number; 1000000") "," \
	OTHER_NAMES
/* As the system has them that Reeve replaces. */
#define OTHER_NAMES                                                                                                    \
	"\"max_retries\":" COUNT("another name of max_attempts") ","                                                       \
	"\"job_timeout\":" DURATION("another name of timeout") ","                                                         \
	"\"max_concurrent_jobs\":" NUMBER("integer", "1", "1000000", "another name of limits.concurrency")
/* clang-format on */

#define OBJECT(about, properties)                                                                                      \
	"{\"type\":\"object\",\"additionalProperties\":false,\"description\":\"" about "\",\"properties\":{" properties "}}"
#define NUMBER(type, low, high, about)                                                                                 \
	"{\"type\":\"" type "\",\"minimum\":" low ",\"maximum\":" high ",\"description\":\"" about "\"}"
#define CONCURRENCY "\"concurrency\":" NUMBER("integer", "1", "1000000", "in workers' hands at once; any number")
#define RATE		"\"rate\":" NUMBER("number", "0.001", "1000000", "given out a second; any number")
#define BURST		"\"burst\":" NUMBER("integer", "1", "1000000", "given out at once after a pause; the rate, rounded up")
#define LIMIT		CONCURRENCY "," RATE "," BURST
#define LENGTH		"\"max_length\":" NUMBER("integer", "1", "50000000", "waiting; one more is refused with 429; any number")
#define KEY_LIMIT	"\"key\":" OBJECT("of each key; none", LIMIT)
#define FLOW		"\"limits\":" OBJECT("of the queue; none", LIMIT "," LENGTH "," KEY_LIMIT)
#define SPACE_FLOW	"\"limits\":" OBJECT("of all its queues together; none", LIMIT "," LENGTH)
#define WEIGHT		"\"weight\":" NUMBER("integer", "1", "1000", "its share of workers that serve several namespaces; 1")
#define NAMESPACE                                                                                                      \
	"\"name\":{\"type\":\"string\",\"maxLength\":128,\"pattern\":\"^[A-Za-z0-9._-]+$\"}," WEIGHT "," SPACE_FLOW

/* callbacks_schema, worker_schema, pipeline_schema and schedule_schema stand in the places of %s. */
static const char format[] =
	"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"reeve.yaml\","
	"\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"node\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":63,\"pattern\":\"^[A-Za-z0-9._-]+$\",\"description\":"
	"\"of this node; the host's name\"},"
	"\"data_dir\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":3000,\"description\":\"store, blobs and logs; "
	"`--data-dir` is over it; /var/lib/reeve, of a user $XDG_STATE_HOME/reeve\"}}},"
	"\"listen\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"unix\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100,\"description\":\"the API's socket; `--socket` "
	"and `REEVE_SOCKET` are over it; /run/reeve/reeve.sock, of a user $XDG_RUNTIME_DIR/reeve/reeve.sock\"}}},"
	"\"store\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"type\":{\"enum\":[\"sqlite\","
	"\"memory\"],\"description\":\"sqlite keeps everything in data_dir; memory keeps nothing, for trials; sqlite\"}}},"
	"\"blobs\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
	"\"max_size\":{\"type\":\"string\",\"format\":\"size\",\"description\":\"of one blob; 64GiB\"},"
	"\"keep_unused\":{\"type\":\"string\",\"format\":\"duration\",\"description\":\"how long after its last use a blob "
	"that nothing refers "
	"to is kept; 1d\"}}},"
	"\"packages\":{\"type\":\"array\",\"maxItems\":14,\"description\":\"directories to look for packages in, before "
	"those of this program; relative to this file\",\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":"
	"3000}},"
	"\"jobs\":{\"type\":\"object\",\"description\":\"of every queue that says nothing "
	"else\",\"additionalProperties\":false,\"properties\":{" LIMITS "," FLOW "}},"
	"\"queues\":{\"type\":\"array\",\"description\":\"what is different for one "
	"capability\",\"maxItems\":4096,\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
	"\"required\":[\"capability\"],\"properties\":{\"namespace\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":"
	"128},"
	"\"capability\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}," LIMITS "," FLOW "}}},"
	"\"namespaces\":{\"type\":\"array\",\"maxItems\":4096,\"items\":{\"type\":\"object\",\"additionalProperties\":"
	"false,"
	"\"required\":[\"name\"],\"properties\":{" NAMESPACE "}}},"
	"\"callbacks\":%s,"
	"\"workers\":{\"type\":\"array\",\"maxItems\":4096,\"items\":%s},"
	"\"pipelines\":{\"type\":\"array\",\"maxItems\":1024,\"items\":{\"if\":{\"type\":\"object\"},\"then\":%s,"
	"\"else\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":3000}},\"description\":\"a pipeline, or the name of a "
	"file that holds one, relative to this file\"},"
	"\"schedules\":{\"type\":\"array\",\"maxItems\":10000,\"items\":%s,\"description\":\"rules that make jobs at "
	"times\"}}}";

char *settings_schema(void)
{
	struct buf out = {0};
	const char *const parts[] = {callbacks_schema, worker_schema, pipeline_schema, schedule_schema}, *at = format;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *place = strstr(at, "%s");
		buf_add(&out, at, (size_t)(place - at));
		buf_text(&out, parts[i]);
		at = place + 2;
	}
	buf_text(&out, at);
	return buf_take(&out);
}

/* ── parts ── */

static json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

static void read_duration(const json_t *object, const char *name, int64_t *ms)
{
	const char *text = json_string_value(member(object, name));
	if (text)
		units_duration(bytes_of(text), ms, NULL); /* the schema's format has checked it */
}

/* `at` is the JSON pointer of object. */
static enum errcode read_flow(
	const struct config *c, const char *at, const json_t *object, struct flow_limits *out, struct err *e)
{
	char place[96] = "", pointer[192];
	struct err why;
	const json_t *limits = member(object, "limits"), *other = member(object, "max_concurrent_jobs");
	if (other)
		out->all.concurrency = (unsigned)json_integer_value(other);
	if (!limits || flow_limits_read(limits, out, place, &why) == E_OK)
		return E_OK;
	snprintf(pointer, sizeof pointer, "%s/limits%s", at, place);
	return config_error(c, pointer, e, "%s", why.text);
}

static void read_int(const json_t *object, const char *name, int *n)
{
	if (member(object, name))
		*n = (int)json_integer_value(member(object, name));
}

static void read_limits(const json_t *object, struct queue_limits *l)
{
	read_int(object, "max_retries", &l->max_attempts);
	read_int(object, "max_attempts", &l->max_attempts);
	read_int(object, "max_crashes", &l->max_crashes);
	if (member(object, "max_dead"))
		l->max_dead = json_integer_value(member(object, "max_dead"));
	read_duration(object, "job_timeout", &l->timeout_ms);
	read_duration(object, "timeout", &l->timeout_ms);
	read_duration(object, "keep_dead", &l->keep_dead_ms);
	read_duration(object, "retry_delay", &l->retry_delay_ms);
	read_duration(object, "retry_cap", &l->retry_cap_ms);
	read_duration(object, "keep_results", &l->keep_results_ms);
}

static enum errcode read_queues(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *queues = member(config_json(c), "queues");
	s->queues = mem_new(json_array_size(queues) * sizeof *s->queues);
	for (size_t i = 0; i < json_array_size(queues); i++) {
		const json_t *from = json_array_get(queues, i);
		struct queue_setting *q = &s->queues[s->queue_n++];
		const char *namespace = json_string_value(member(from, "namespace"));
		q->namespace = mem_text(namespace ? namespace : "default");
		q->capability = mem_text(json_string_value(member(from, "capability")));
		q->limits = s->jobs;
		read_limits(from, &q->limits);
		char at[48];
		snprintf(at, sizeof at, "/queues/%zu", i);
		enum errcode code = read_flow(c, at, from, &q->limits.flow, e);
		if (code)
			return code;
	}
	return E_OK;
}

static enum errcode read_namespaces(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *namespaces = member(config_json(c), "namespaces");
	s->namespaces = mem_new(json_array_size(namespaces) * sizeof *s->namespaces);
	for (size_t i = 0; i < json_array_size(namespaces); i++) {
		const json_t *from = json_array_get(namespaces, i), *weight = member(from, "weight");
		struct namespace_setting *n = &s->namespaces[s->namespace_n++];
		char at[48];
		n->name = mem_text(json_string_value(member(from, "name")));
		n->weight = weight ? (uint32_t)json_integer_value(weight) : 1;
		snprintf(at, sizeof at, "/namespaces/%zu", i);
		enum errcode code = read_flow(c, at, from, &n->limits, e);
		if (code)
			return code;
	}
	return E_OK;
}

static bool same_id(const struct settings *s, const struct worker *w)
{
	for (size_t i = 0; i < s->worker_n; i++)
		if (strcmp(s->workers[i]->id, w->id) == 0)
			return true;
	return false;
}

static enum errcode check_order(const struct settings *s, const struct config *c, struct err *e)
{
	struct err why;
	size_t n;
	char pointer[64];
	if (order_check(s->workers, s->worker_n, &n, &why) == E_OK)
		return E_OK;
	snprintf(pointer, sizeof pointer, "/workers/%zu/after", n);
	return config_error(c, pointer, e, "%s", why.text);
}

static enum errcode read_workers(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *workers = member(config_json(c), "workers");
	s->workers = mem_new(json_array_size(workers) * sizeof(struct worker *));
	for (size_t i = 0; i < json_array_size(workers); i++) {
		char at[128] = "", pointer[192];
		struct err why;
		struct worker *w;
		enum errcode code = worker_parse(json_array_get(workers, i), &w, at, &why);
		if (code) {
			snprintf(pointer, sizeof pointer, "/workers/%zu%s", i, at);
			return config_error(c, pointer, e, "%s", why.text);
		}
		if (same_id(s, w)) {
			snprintf(pointer, sizeof pointer, "/workers/%zu/id", i);
			code = config_error(c, pointer, e, "\"%s\": another worker has this id", w->id);
			worker_free(w);
			return code;
		}
		s->workers[s->worker_n++] = w;
	}
	return check_order(s, c, e);
}

static enum errcode add_pipeline(
	struct settings *s, const struct config *c, const char *pointer, const json_t *definition, struct err *e)
{
	struct err why;
	struct pipeline *p;
	if (pipeline_parse(definition, &p, &why) != E_OK)
		return config_error(c, pointer, e, "%s", why.text);
	s->pipelines[s->pipeline_n++] = p;
	return E_OK;
}

/* A definition in a file of its own, named relative to this one. */
static enum errcode load_pipeline(
	struct settings *s, const struct config *c, const char *pointer, const char *name, struct err *e)
{
	char path[PATH_MAX * 2];
	struct schema *schema;
	struct config *file;
	snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : s->base_dir, *name == '/' ? "" : "/", name);
	enum errcode code = schema_open(bytes_of(pipeline_schema), &schema, e);
	if (code)
		return code;
	code = config_load(path, schema, &file, e);
	if (code == E_NOT_FOUND)
		code = config_error(c, pointer, e, "\"%s\": there is no file %s", name, path);
	if (!code) {
		code = add_pipeline(s, file, "", config_json(file), e);
		config_free(file);
	}
	schema_close(schema);
	return code;
}

static enum errcode read_pipelines(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *pipelines = member(config_json(c), "pipelines");
	s->pipelines = mem_new(json_array_size(pipelines) * sizeof(struct pipeline *));
	for (size_t i = 0; i < json_array_size(pipelines); i++) {
		const json_t *from = json_array_get(pipelines, i);
		char pointer[64];
		snprintf(pointer, sizeof pointer, "/pipelines/%zu", i);
		enum errcode code = json_is_string(from) ? load_pipeline(s, c, pointer, json_string_value(from), e)
												 : add_pipeline(s, c, pointer, from, e);
		if (code)
			return code;
	}
	return E_OK;
}

bool settings_own_workers(char path[PATH_MAX])
{
	char own[PATH_MAX] = "";
	if (readlink("/proc/self/exe", own, sizeof own - 1) < 0)
		return false;
	const char *directory = dirname(own);
	if (snprintf(path, PATH_MAX, "%s/workers", directory) >= PATH_MAX)
		return false;
	if (access(path, F_OK) != 0 && strlen(directory) + sizeof INSTALLED <= PATH_MAX)
		sprintf(path, "%s" INSTALLED, directory);
	return true;
}

/* Configured directories first, then the workers that were built or installed with this program. */
static void read_packages(struct settings *s, const json_t *packages)
{
	char path[PATH_MAX];
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(packages) && n < SETTINGS_PACKAGES_MAX - 2; i++) {
		const char *name = json_string_value(json_array_get(packages, i));
		struct buf full = {0};
		buf_format(&full, "%s%s%s", *name == '/' ? "" : s->base_dir, *name == '/' ? "" : "/", name);
		s->packages[n++] = buf_take(&full);
	}
	if (settings_own_workers(path))
		s->packages[n++] = mem_text(path);
	s->packages[n++] = mem_text(REEVE_PACKAGES);
}

static void read_places(struct settings *s, const struct options *o, const json_t *root)
{
	const char *name = json_string_value(member(member(root, "node"), "name"));
	const char *data_dir = json_string_value(member(member(root, "node"), "data_dir"));
	const char *socket = json_string_value(member(member(root, "listen"), "unix"));
	if (name)
		snprintf(s->node, sizeof s->node, "%s", name);
	else if (gethostname(s->node, sizeof s->node - 1) != 0)
		snprintf(s->node, sizeof s->node, "node");
	if (o->data_dir[0])
		snprintf(s->data_dir, sizeof s->data_dir, "%s", o->data_dir);
	else if (data_dir)
		snprintf(s->data_dir, sizeof s->data_dir, "%.*s%s%s", *data_dir == '/' ? 0 : PATH_MAX / 2, s->base_dir,
			*data_dir == '/' ? "" : "/", data_dir);
	else
		options_default_data_dir(s->data_dir);
	if (o->socket[0])
		snprintf(s->socket, sizeof s->socket, "%s", o->socket);
	else if (socket)
		snprintf(s->socket, sizeof s->socket, "%s", socket);
	else
		options_default_socket(s->socket);
}

static enum errcode read_all(struct settings *s, const struct options *o, const struct config *c, struct err *e)
{
	const json_t *root = config_json(c);
	const char *type = json_string_value(member(member(root, "store"), "type"));
	const char *size = json_string_value(member(member(root, "blobs"), "max_size"));
	const char *keep = json_string_value(member(member(root, "blobs"), "keep_unused"));
	s->jobs = queue_default_limits;
	s->blob_max_bytes = 64ull << 30;
	s->blob_keep_unused_ms = BLOB_KEEP_UNUSED_MS;
	s->memory_store = type && strcmp(type, "memory") == 0;
	if (size)
		units_size(bytes_of(size), &s->blob_max_bytes, NULL); /* checked by the schema's format */
	if (keep)
		units_duration(bytes_of(keep), &s->blob_keep_unused_ms, NULL);
	read_places(s, o, root);
	read_limits(member(root, "jobs"), &s->jobs);
	enum errcode code = read_flow(c, "/jobs", member(root, "jobs"), &s->jobs.flow, e);
	if (!code)
		code = read_queues(s, c, e);
	if (!code)
		code = read_namespaces(s, c, e);
	if (!code)
		code = settings_read_callbacks(s, c, e);
	if (code)
		return code;
	read_packages(s, member(root, "packages"));
	code = read_workers(s, c, e);
	if (!code)
		code = read_pipelines(s, c, e);
	return code ? code : settings_read_schedules(s, c, e);
}

static enum errcode base_directory(struct settings *s, const char *config, struct err *e)
{
	char path[PATH_MAX];
	if (!config)
		return getcwd(s->base_dir, sizeof s->base_dir) ? E_OK : err_set(e, E_IO, "the current directory is gone");
	if (!realpath(config, path))
		return err_set(e, E_NOT_FOUND, "%s: there is no such file", config);
	snprintf(s->base_dir, sizeof s->base_dir, "%s", dirname(path));
	return E_OK;
}

enum errcode settings_read(const struct options *o, struct settings **out, struct err *e)
{
	struct settings *s = NEW(struct settings);
	struct schema *schema = NULL;
	struct config *c = NULL;
	scoped(mem_free_at) char *text = settings_schema();
	enum errcode code = base_directory(s, o->config, e);
	if (!code)
		code = schema_open(bytes_of(text), &schema, e);
	if (!code)
		code =
			o->config ? config_load(o->config, schema, &c, e) : config_parse("(none)", bytes_of("{}"), schema, &c, e);
	if (!code)
		code = read_all(s, o, c, e);
	config_free(c);
	schema_close(schema);
	if (code)
		settings_free(s);
	else
		*out = s;
	return code;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->worker_n; i++)
		worker_free(s->workers[i]);
	for (size_t i = 0; i < s->pipeline_n; i++)
		pipeline_free(s->pipelines[i]);
	for (size_t i = 0; i < s->schedule_n; i++)
		schedule_definition_free(s->schedules[i]);
	for (size_t i = 0; i < s->queue_n; i++) {
		free(s->queues[i].namespace);
		free(s->queues[i].capability);
	}
	for (size_t i = 0; i < s->namespace_n; i++)
		free(s->namespaces[i].name);
	free(s->namespaces);
	for (size_t i = 0; s->packages[i]; i++)
		free(s->packages[i]);
	free(s->workers);
	free(s->pipelines);
	free(s->schedules);
	free(s->queues);
	allow_free(s->callbacks.allow);
	free(s->callbacks.secret_file);
	free(s->callbacks.ca_file);
	free(s);
}

enum errcode settings_package_reader(
	void *context, const char *path, const char *schema_text, json_t **out, struct err *e)
{
	struct schema *schema;
	struct config *c;
	enum errcode code = schema_open(bytes_of(schema_text), &schema, e);
	if (code)
		return code;
	code = config_load(path, schema, &c, e);
	schema_close(schema);
	if (code)
		return code;
	*out = json_incref(config_json(c));
	config_free(c);
	return E_OK;
}
