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

const struct command blob_commands[] = {
	{"blob", "put", "FILE", "Store a file's content (- is stdin); prints its name", NULL, 1, 1, blob_put},
	{"blob", "get", "NAME", "Fetch a blob's content", get_options, 1, 1, blob_get},
	{0},
};
