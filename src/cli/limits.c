/* limits.c - limits of queues and namespaces: options become the document that changes them, and what holds is shown in a line. */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *option, *object, *member; /* object NULL: at the top */
} members[] = {{"concurrency", NULL, "concurrency"}, {"rate", NULL, "rate"}, {"burst", NULL, "burst"},
	{"max-length", NULL, "max_length"}, {"key-concurrency", "key", "concurrency"}, {"key-rate", "key", "rate"},
	{"key-burst", "key", "burst"}};

/* A whole number stays one; "none" takes a limit away. */
static int value_of(const char *option, const char *text, json_t **out)
{
	char *end;
	double value = strtod(text, &end);
	if (strcmp(text, "none") == 0)
		*out = json_null();
	else if (!*text || *end || !(value >= 0 && value <= 1e9))
		return complain(EXIT_USAGE, "--%s %s: a number or `none` is needed", option, text);
	else
		*out = value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
	return EXIT_OK;
}

static int set(json_t *body, const char *object, const char *member, const char *option, const char *text)
{
	json_t *value = NULL, *to = body;
	int code = value_of(option, text, &value);
	if (code)
		return code;
	if (object && !json_object_get(body, object))
		json_object_set_new(body, object, json_object());
	if (object)
		to = json_object_get(body, object);
	json_object_set_new(to, member, value);
	return EXIT_OK;
}

/* A namespace has no limits of keys. */
static const char *given(const struct args *a, const char *option)
{
	const struct option_spec *o = a->command->options;
	while (o->name && strcmp(o->name, option) != 0)
		o++;
	return o->name ? arg_option(a, option) : NULL;
}

static int body_of(const struct args *a, json_t *body)
{
	int code = EXIT_OK;
	for (size_t i = 0; !code && i < sizeof members / sizeof *members; i++) {
		const char *text = given(a, members[i].option);
		if (text)
			code = set(body, members[i].object, members[i].member, members[i].option, text);
	}
	return code;
}

static int send(const struct args *a, const char *path, const char *body)
{
	struct reply r;
	const char *method = arg_option(a, "reset") ? "DELETE" : "PATCH";
	struct bytes text = arg_option(a, "reset") ? (struct bytes){0} : bytes_of(body);
	int code = client_request(method, path, text.size ? "application/json" : NULL, text, &r);
	if (code)
		return code;
	if (a->json) {
		print_json(r.json);
	} else {
		scoped(mem_free_at) char *line = limits_text(json_object_get(r.json, "limits"));
		printf("%s\n", line);
	}
	reply_fini(&r);
	return EXIT_OK;
}

int limits_change(const struct args *a, const char *path)
{
	json_t *body = json_object();
	int code = body_of(a, body);
	scoped(mem_free_at) char *text = json_dumps(body, JSON_COMPACT);
	bool nothing = json_object_size(body) == 0;
	json_decref(body);
	if (!code && nothing && !arg_option(a, "reset"))
		code = complain(EXIT_USAGE, "say which limit, such as --concurrency 10 or --rate none, or --reset");
	return code ? code : send(a, path, text);
}

static void add(struct buf *out, const char *before, const json_t *limits)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)limits, name, value)
	{
		if (json_is_object(value))
			add(out, "key ", value);
		else
			buf_format(out, "%s%s%s %.10g", out->size ? ", " : "", before, name, json_number_value(value));
	}
}

char *limits_text(const json_t *limits)
{
	struct buf out = {0};
	add(&out, "", limits);
	if (!out.size)
		buf_text(&out, "none");
	return buf_take(&out);
}
