#include "cli/cli.h"

#include "base/json_span.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int complain(int code, const char *format, ...)
{
	va_list args;
	progress_end();
	fputs("reeve: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

char *read_file(const char *path, size_t *size)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	struct buf content = {0};
	if (!f) {
		complain(EXIT_FAILED, "%s: %m", path);
		return NULL;
	}
	for (size_t n; (n = fread(buf_reserve(&content, 65536), 1, 65536, f)) > 0;)
		content.size += n;
	bool bad = ferror(f);
	if (f != stdin)
		fclose(f);
	if (bad) {
		buf_fini(&content);
		complain(EXIT_FAILED, "%s: %m", path);
		return NULL;
	}
	if (size)
		*size = content.size;
	return buf_take(&content);
}

int input_number(const struct args *a, const char *option, uint64_t max, uint64_t *n)
{
	const char *text = arg_option(a, option);
	char *end;
	if (!text)
		return EXIT_OK;
	errno = 0;
	unsigned long long got = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || got > max)
		return complain(EXIT_USAGE, "--%s %s: a whole number from 0 to %" PRIu64 " is needed", option, text, max);
	*n = got;
	return EXIT_OK;
}

int input_argument(const char *argument, char **text)
{
	char *made = argument[0] == '@'			  ? read_file(argument + 1, NULL)
				 : strcmp(argument, "-") == 0 ? read_file("-", NULL)
											  : mem_text(argument);
	struct err e;
	if (!made)
		return EXIT_FAILED;
	if (json_span_check(bytes_of(made), &e) != E_OK) {
		free(made);
		return complain(EXIT_USAGE, "%.60s: is not JSON: %s (JSON text, @FILE or - is needed)", argument, e.text);
	}
	*text = made;
	return EXIT_OK;
}
