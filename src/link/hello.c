#include "link/hello.h"

#include "base/mem.h"
#include "job/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static bool number_of(const json_t *object, const char *name, int64_t most, int64_t *out)
{
	const json_t *v = json_object_get(object, name);

	*out = 0;
	if (!v || json_is_null(v))
		return true;
	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= 0 && *out <= most;
}

/* A decimal in a string. */
static bool id_of(const json_t *object, const char *name, uint64_t *out)
{
	const char *text = json_string_value(json_object_get(object, name));
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end && *out;
}

/* A member's JSON as text of its own, or NULL when there is none. */
static char *dump(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);
	return v && !json_is_null(v) ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

static bool name_good(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > JOB_NAME_MAX)
		return false;
	for (; *name; name++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *name))
			return false;
	return true;
}

static bool parse_capability(struct capability *c, const json_t *from, struct err *e)
{
	int64_t flags;

	if (!json_is_object(from) || !name_good(text_of(from, "name"))) {
		err_set(e, E_INVALID,
			"HELLO: a capability's name is \"%.100s\"; it may have letters, digits, \".\", \"_\" and \"-\", at most %d",
			text_of(from, "name"), JOB_NAME_MAX);
		return false;
	}
	if (!number_of(from, "flags", UINT32_MAX, &flags)) {
		err_set(e, E_INVALID, "HELLO: flags of capability %s must be a number", text_of(from, "name"));
		return false;
	}
	*c = (struct capability){
		.name = mem_text(text_of(from, "name")),
		.version = mem_text(text_of(from, "version")),
		.summary = mem_text(text_of(from, "summary")),
		.mode = mem_text(text_of(from, "mode")),
		.tags_json = dump(from, "tags"),
		.input_schema = dump(from, "input_schema"),
		.output_schema = dump(from, "output_schema"),
		.item_schema = dump(from, "item_schema"),
		.errors_json = dump(from, "errors"),
		.flags = (uint32_t)flags,
	};
	return true;
}

static bool parse_capabilities(struct hello *h, struct err *e)
{
	const json_t *list = json_object_get(h->root, "capabilities");
	size_t n = json_array_size(list);

	if (list && !json_is_array(list)) {
		err_set(e, E_INVALID, "HELLO: capabilities must be an array");
		return false;
	}
	if (n > LINK_CAPABILITIES_MAX) {
		err_set(e, E_TOO_LARGE, "HELLO: %zu capabilities; at most %d are allowed", n, LINK_CAPABILITIES_MAX);
		return false;
	}
	h->capabilities = mem_new(n * sizeof *h->capabilities);
	h->say.capabilities = h->capabilities;
	for (; h->say.capability_n < n; h->say.capability_n++)
		if (!parse_capability(&h->capabilities[h->say.capability_n], json_array_get(list, h->say.capability_n), e))
			return false;
	return true;
}

static bool parse_held(struct hello *h, struct err *e)
{
	const json_t *list = json_object_get(h->root, "held");
	size_t n = json_array_size(list);

	if (n > LINK_HELD_MAX) {
		err_set(e, E_TOO_LARGE, "HELLO: %zu held jobs; at most %d are allowed", n, LINK_HELD_MAX);
		return false;
	}
	h->held = mem_new(n * sizeof *h->held);
	for (; h->held_n < n; h->held_n++) {
		const json_t *from = json_array_get(list, h->held_n);
		struct hello_held *held = &h->held[h->held_n];
		if (!id_of(from, "id", &held->id) || !id_of(from, "fence", &held->fence)) {
			err_set(e, E_INVALID, "HELLO: held job %zu has no id and fence (decimal, as strings)", h->held_n);
			return false;
		}
		held->started = json_is_true(json_object_get(from, "started"));
	}
	return true;
}

bool hello_parse(struct hello *h, const char *json, size_t size, struct err *e)
{
	json_error_t error;
	int64_t pid, concurrency;

	memset(h, 0, sizeof *h);
	h->root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &error);
	if (!h->root || !json_is_object(h->root)) {
		err_set(e, E_INVALID, "HELLO is not a JSON object: %s", h->root ? "it is another value" : error.text);
		return false;
	}
	if (!number_of(h->root, "pid", INT32_MAX, &pid) || !number_of(h->root, "concurrency", 1 << 16, &concurrency)) {
		err_set(e, E_INVALID, "HELLO: pid and concurrency must be numbers, concurrency at most 65536");
		return false;
	}
	h->token = text_of(h->root, "token");
	h->say.name = text_of(h->root, "name");
	h->say.version = text_of(h->root, "version");
	h->say.platform = text_of(h->root, "platform");
	h->say.sdk = text_of(h->root, "sdk");
	h->say.config_schema = h->config_schema = dump(h->root, "config_schema");
	h->say.pid = (int)pid;
	h->say.concurrency = (unsigned)concurrency;
	h->say.ready = json_is_true(json_object_get(h->root, "ready"));
	return parse_capabilities(h, e) && parse_held(h, e);
}

void hello_fini(struct hello *h)
{
	link_capabilities_free(h->capabilities, h->say.capability_n);
	free(h->held);
	free(h->config_schema);
	json_decref(h->root);
	memset(h, 0, sizeof *h);
}

/* ── capabilities ── */

struct capability *link_capabilities_copy(const struct capability *from, size_t n)
{
	struct capability *to = mem_new(n * sizeof *to);

	for (size_t i = 0; i < n; i++)
		to[i] = (struct capability){
			.name = mem_text(from[i].name),
			.version = mem_text(from[i].version),
			.summary = mem_text(from[i].summary),
			.mode = mem_text(from[i].mode),
			.tags_json = mem_text(from[i].tags_json),
			.input_schema = mem_text(from[i].input_schema),
			.output_schema = mem_text(from[i].output_schema),
			.item_schema = mem_text(from[i].item_schema),
			.errors_json = mem_text(from[i].errors_json),
			.flags = from[i].flags,
		};
	return to;
}

void link_capabilities_free(struct capability *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(c[i].name);
		free(c[i].version);
		free(c[i].summary);
		free(c[i].mode);
		free(c[i].tags_json);
		free(c[i].input_schema);
		free(c[i].output_schema);
		free(c[i].item_schema);
		free(c[i].errors_json);
	}
	free(c);
}
