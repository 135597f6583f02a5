#include "options.h"

#include <jansson.h>
#include <reeve/worker.h>
#include <stdlib.h>

static const char *const default_keywords[] = {"receipt", "invoice", "order confirmation", "payment confirmation",
	"statement", "bill", "purchase", "transaction", "total", "amount due"};

static int options_bad(struct fault *f, const char *key, const json_t *value, const char *wanted)
{
	char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	int rc = fault_set(
		f, REEVE_E_INVALID, "INVALID_OPTIONS", false, "%s is %.60s; wanted is %s", key, shown ? shown : "?", wanted);

	free(shown);
	return rc;
}

/* An integer member between two limits; absent and null leave *out as it is. */
static int options_number(json_t *o, const char *key, uint64_t least, uint64_t most, uint64_t *out, struct fault *f)
{
	json_t *value = json_object_get(o, key);
	json_int_t number = json_integer_value(value);
	char wanted[96];

	if (!value || json_is_null(value))
		return 0;
	snprintf(
		wanted, sizeof wanted, "a whole number from %llu to %llu", (unsigned long long)least, (unsigned long long)most);
	if (!json_is_integer(value) || number < 0 || (uint64_t)number < least || (uint64_t)number > most)
		return options_bad(f, key, value, wanted);
	*out = (uint64_t)number;
	return 0;
}

/* A string member that is one of `names` (NULL last). */
static int options_choice(json_t *o, const char *key, const char *const *names, unsigned *out, struct fault *f)
{
	json_t *value = json_object_get(o, key);
	char wanted[96] = "one of";

	if (!value || json_is_null(value))
		return 0;
	for (unsigned i = 0; names[i]; i++) {
		size_t used = strlen(wanted);
		if (json_is_string(value) && !strcmp(json_string_value(value), names[i])) {
			*out = i;
			return 0;
		}
		snprintf(wanted + used, sizeof wanted - used, " \"%s\"", names[i]);
	}
	return options_bad(f, key, value, wanted);
}

static int options_keywords(struct options *o, json_t *root, struct fault *f)
{
	const char *words[KEYWORDS_MAX];
	json_t *list = json_object_get(root, "keywords"), *word;
	size_t i, bad = 0, n = sizeof default_keywords / sizeof *default_keywords;

	if (!list) {
		if (keywords_init(&o->keywords, default_keywords, n, &bad))
			return 0;
		return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for the keywords");
	}
	if (!json_is_array(list) || json_array_size(list) > KEYWORDS_MAX)
		return options_bad(f, "keywords", list, "a list of at most 256 words or phrases (empty: none)");
	json_array_foreach(list, i, word)
	{
		if (!json_is_string(word))
			return options_bad(f, "keywords", word, "a list of strings");
		words[i] = json_string_value(word);
	}
	if (!keywords_init(&o->keywords, words, json_array_size(list), &bad))
		return options_bad(f, "keywords", json_array_get(list, bad), "words or phrases of 1 to 200 bytes");
	return 0;
}

static int options_known(json_t *root, const char *const *known, struct fault *f)
{
	const char *key;
	json_t *value;

	json_object_foreach(root, key, value)
	{
		size_t i = 0;
		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			return fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false,
				"there is no option \"%.60s\"; there are keywords, snippet_length, max_messages, max_text, "
				"attachments, format, "
				"blob, message",
				key);
	}
	return 0;
}

static int options_message(struct options *o, json_t *root, struct fault *f)
{
	json_t *message = json_object_get(root, "message"), *blob = json_object_get(root, "blob");

	if (message && blob)
		return fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false,
			"the job has both \"blob\" and \"message\"; wanted is one of them: the mailbox, uploaded before, or its "
			"text");
	if (!message)
		return 0;
	if (!json_is_string(message) || json_string_length(message) > OPTIONS_MESSAGE_MAX)
		return fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false,
			"message is %s; wanted is the text of a message of at most 1 MiB; larger mail comes as a blob",
			json_is_string(message) ? "too large" : "no string");
	o->message_n = json_string_length(message);
	o->message = malloc(o->message_n + 1);
	if (!o->message)
		return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for the message");
	memcpy(o->message, json_string_value(message), o->message_n + 1);
	return 0;
}

static int options_fill(struct options *o, const struct options_config *c, json_t *root, struct fault *f)
{
	static const char *const known[] = {"keywords", "snippet_length", "max_messages", "max_text", "attachments",
		"format", "output_format", "blob", "bytes", "filename", "message", NULL};
	static const char *const formats[] = {"auto", "mbox", "eml", NULL},
							 *const modes[] = {"none", "metadata", "blobs", NULL}, *const outputs[] = {"jsonl", NULL};
	uint64_t text = c->max_text, snippet = c->snippet_length;
	unsigned format = MBOX_AUTO, mode = c->attachments, output = 0;
	int rc = options_known(root, known, f);

	if (!rc)
		rc = options_number(root, "snippet_length", 0, OPTIONS_SNIPPET_MAX, &snippet, f);
	if (!rc && json_is_integer(json_object_get(root, "max_messages")))
		rc = options_number(root, "max_messages", 1, INT64_MAX, &o->max_messages, f);
	else if (!rc && json_object_get(root, "max_messages") && !json_is_null(json_object_get(root, "max_messages")))
		rc = options_bad(
			f, "max_messages", json_object_get(root, "max_messages"), "a whole number above 0, or null for all");
	if (!rc)
		rc = options_number(root, "max_text", 0, c->max_text, &text, f);
	if (!rc)
		rc = options_choice(root, "format", formats, &format, f);
	if (!rc)
		rc = options_choice(root, "attachments", modes, &mode, f);
	if (!rc)
		rc = options_choice(root, "output_format", outputs, &output, f);
	if (!rc)
		rc = options_keywords(o, root, f);
	o->snippet_length = snippet;
	o->format = format;
	o->limits = (struct message_limits){text, c->max_message_bytes, mode};
	return rc;
}

int options_read(struct options *o, const struct options_config *c, const char *json, size_t n, struct fault *f)
{
	json_error_t at;
	json_t *root = json ? json_loadb(json, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at) : json_object();
	int rc;

	*o = (struct options){.max_messages = UINT64_MAX};
	if (!json_is_object(root)) {
		json_decref(root);
		return fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false, "the job's input is no JSON object%s%.100s",
			root ? "" : ": ", root ? "" : at.text);
	}
	rc = options_fill(o, c, root, f);
	if (!rc && json)
		rc = options_message(o, root, f);
	json_decref(root);
	if (rc)
		options_fini(o);
	return rc;
}

void options_fini(struct options *o)
{
	keywords_fini(&o->keywords);
	free(o->message);
	*o = (struct options){0};
}

int options_config_read(struct options_config *c, const char *json, size_t n, struct fault *f)
{
	static const char *const modes[] = {"none", "metadata", "blobs", NULL};
	json_t *root = json && n ? json_loadb(json, n, 0, NULL) : json_object();
	uint64_t text = 256 << 10, message = 1u << 30, snippet = 200;
	unsigned mode = ATTACHMENT_METADATA;
	int rc = json_is_object(root)
				 ? 0
				 : fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false, "the configuration is no JSON object");

	if (!rc)
		rc = options_number(root, "max_text", 0, OPTIONS_TEXT_MAX, &text, f);
	if (!rc)
		rc = options_number(root, "max_message_bytes", 1024, INT64_MAX, &message, f);
	if (!rc)
		rc = options_number(root, "snippet_length", 0, OPTIONS_SNIPPET_MAX, &snippet, f);
	if (!rc)
		rc = options_choice(root, "attachments", modes, &mode, f);
	json_decref(root);
	if (!rc)
		*c = (struct options_config){text, message, snippet, mode};
	return rc;
}
