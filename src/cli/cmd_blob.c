/* reeve blob ... */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>

static int blob_put(const struct args *a)
{
	scoped(mem_free_at) char *blob = NULL;
	int code = client_upload(a->operands[0], &blob, true);
	if (code)
		return code;
	if (a->json)
		printf("{\"blob\": \"%s\"}\n", blob);
	else
		printf("%s\n", blob);
	return EXIT_OK;
}

static const struct option_spec get_options[] = {{"output", 'o', "FILE", "where to (default stdout)"}, {0}};

static int blob_get(const struct args *a)
{
	scoped(mem_free_at) char *path = url_path("/v1/blobs/", a->operands[0], "");
	return client_download(path, arg_option(a, "output") ? arg_option(a, "output") : "-");
}

/* ── all of them ── */

/* Every page of the list; `each` gives an exit code that is not 0 to stop. */
static int each_blob(int (*each)(void *context, const json_t *blob), void *context)
{
	scoped(mem_free_at) char *path = mem_text("/v1/blobs?limit=1000");
	for (bool more = true; more;) {
		struct reply r;
		size_t i;
		const json_t *blob;
		int code = client_get(path, &r);
		if (code)
			return code;
		json_array_foreach(json_object_get(r.json, "blobs"), i, blob) code = code ? code : each(context, blob);
		const char *next = json_string_value(json_object_get(r.json, "cursor"));
		more = next && !code;
		mem_free_at(&path);
		path = more ? url_path("/v1/blobs?limit=1000&cursor=", next, "") : NULL;
		reply_fini(&r);
		if (code)
			return code;
	}
	return EXIT_OK;
}

static int keep_blob(void *context, const json_t *blob)
{
	return json_array_append(context, (json_t *)blob);
}

static char *size_text(const json_t *bytes, char out[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)json_integer_value(bytes);
	size_t unit = 0;
	for (; n >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		n /= 1024;
	snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
	return out;
}

static int blob_list(const struct args *a)
{
	static const char *const headings[] = {"BLOB", "SIZE", "USED", NULL};
	json_t *all = json_array(), *blob;
	int code = each_blob(keep_blob, all);
	size_t i;
	char size[32];
	if (!code && a->json) {
		print_json(all);
	} else if (!code) {
		struct table *t = table_new(headings);
		json_array_foreach(all, i, blob)
		{
			scoped(mem_free_at) char *used = ago(json_object_get(blob, "used_at"));
			table_add(t, json_text(blob, "blob"));
			table_add(t, size_text(json_object_get(blob, "bytes"), size));
			table_add(t, used);
		}
		table_print(t);
	}
	json_decref(all);
	return code;
}

static const struct option_spec gc_options[] = {
	{"unused", 'u', "TIME", "not used for so long, such as 1h (default: blobs.keep_unused)"}, {0}};

static int blob_gc(const struct args *a)
{
	scoped(buf_fini) struct buf path = {0};
	struct reply r;
	char size[32];
	buf_text(&path, "/v1/blobs/collect");
	url_add_option(&path, a, "unused");
	int code = client_request("POST", path.data, NULL, (struct bytes){0}, &r);
	if (code)
		return code;
	if (a->json)
		print_json(r.json);
	else
		printf("%lld blobs deleted, %s\n", (long long)json_integer_value(json_object_get(r.json, "deleted")),
			size_text(json_object_get(r.json, "deleted_bytes"), size));
	reply_fini(&r);
	return EXIT_OK;
}

struct verifying {
	uint64_t done, bytes, damaged, total;
};

static int count_blob(void *context, const json_t *blob)
{
	((struct verifying *)context)->total++;
	return EXIT_OK;
}

/* The daemon's word on a damaged one is on stderr already. One that was deleted meanwhile is nobody's loss. */
static int verify_name(struct verifying *v, const char *name)
{
	scoped(mem_free_at) char *path = url_path("/v1/blobs/", name, "/verify");
	struct reply r;
	int code = client_request("POST", path, NULL, (struct bytes){0}, &r);
	if (code == EXIT_UNREACHABLE)
		return code;
	v->done++;
	v->damaged += code != EXIT_OK;
	if (!code)
		v->bytes += (uint64_t)json_integer_value(json_object_get(r.json, "bytes"));
	reply_fini(&r);
	progress_show("verify", v->done, v->total, NULL);
	return EXIT_OK;
}

static int verify_blob(void *context, const json_t *blob)
{
	return verify_name(context, json_text(blob, "blob"));
}

static int blob_verify(const struct args *a)
{
	struct verifying v = {.total = (uint64_t)a->operand_n};
	char size[32];
	int code = EXIT_OK;
	if (!a->operand_n && !(code = each_blob(count_blob, &v)))
		code = each_blob(verify_blob, &v);
	for (int i = 0; !code && i < a->operand_n; i++)
		code = verify_name(&v, a->operands[i]);
	progress_end();
	if (code)
		return code;
	json_t *bytes = json_integer((json_int_t)v.bytes);
	if (a->json)
		printf("{\"verified\": %llu, \"damaged\": %llu}\n", (unsigned long long)v.done, (unsigned long long)v.damaged);
	else
		printf("%llu blobs verified, %s; %llu damaged\n", (unsigned long long)v.done, size_text(bytes, size),
			(unsigned long long)v.damaged);
	json_decref(bytes);
	return v.damaged ? EXIT_FAILED : EXIT_OK;
}

const struct command blob_commands[] = {
	{"blob", "put", "FILE", "Store a file's content (- is stdin); prints its name", NULL, 1, 1, blob_put},
	{"blob", "get", "NAME", "Fetch a blob's content", get_options, 1, 1, blob_get},
	{"blob", "list", "", "List blobs with their sizes and when they were last used", NULL, 0, 0, blob_list},
	{"blob", "gc", "", "Delete now what nothing refers to (the daemon does so by itself)", gc_options, 0, 0, blob_gc},
	{"blob", "verify", "[NAME...]", "Read blobs, or all of them, and compare their SHA-256 with their names", NULL, 0,
		-1, blob_verify},
	{0},
};
