/* The callbacks of the file: whom they may reach, and their limits. */
#include "daemon/settings.h"

#include "base/mem.h"
#include "base/units.h"
#include "config/config.h"

#include <stdio.h>

static void read_duration(const json_t *object, const char *name, int64_t *ms)
{
	const char *text = json_string_value(json_object_get(object, name));
	if (text)
		units_duration(bytes_of(text), ms, NULL); /* the schema's format has checked it */
}

static void read_count(const json_t *object, const char *name, unsigned *n)
{
	const json_t *value = json_object_get(object, name);
	if (value)
		*n = (unsigned)json_integer_value(value);
}

/* Of the configuration's own directory; NULL when it is not given. */
static char *read_path(const struct settings *s, const json_t *object, const char *name)
{
	const char *path = json_string_value(json_object_get(object, name));
	struct buf full = {0};
	if (!path)
		return NULL;
	buf_format(&full, "%s%s%s", *path == '/' ? "" : s->base_dir, *path == '/' ? "" : "/", path);
	return buf_take(&full);
}

enum errcode settings_read_callbacks(struct settings *s, const struct config *c, struct err *e)
{
	const json_t *from = json_object_get(config_json(c), "callbacks"), *allow = json_object_get(from, "allow");
	struct callback_settings *to = &s->callbacks;
	unsigned attempts = (unsigned)callback_default_limits.max_attempts;
	to->limits = callback_default_limits;
	to->timeout_ms = 10000;
	to->allow = allow_new();
	read_duration(from, "timeout", &to->timeout_ms);
	read_duration(from, "max_age", &to->limits.max_age_ms);
	read_duration(from, "retry_delay", &to->limits.retry_base_ms);
	read_duration(from, "retry_cap", &to->limits.retry_cap_ms);
	read_duration(from, "keep_failed", &to->limits.keep_ms);
	read_count(from, "in_flight", &to->limits.in_flight);
	read_count(from, "in_flight_per_host", &to->limits.in_flight_per_host);
	read_count(from, "max_attempts", &attempts);
	to->limits.max_attempts = (int)attempts;
	to->secret_file = read_path(s, from, "secret_file");
	to->ca_file = read_path(s, from, "ca_file");
	for (size_t i = 0; i < json_array_size(allow); i++) {
		char pointer[64];
		struct err why;
		snprintf(pointer, sizeof pointer, "/callbacks/allow/%zu", i);
		if (allow_add(to->allow, json_string_value(json_array_get(allow, i)), &why) != E_OK)
			return config_error(c, pointer, e, "%s", why.text);
	}
	return E_OK;
}
