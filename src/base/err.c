#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void fill(
	struct err *e, enum errcode code, const char *format, va_list args)
{
	e->code = code;
	vsnprintf(e->text, sizeof e->text, format, args);
}

enum errcode err_set(struct err *e, enum errcode code, const char *format, ...)
{
	if (e) {
		va_list args;
		va_start(args, format);
		fill(e, code, format, args);
		va_end(args);
	}
	return code;
}

enum errcode err_prefix(struct err *e, const char *format, ...)
{
	if (!e)
		return E_OK;
	char old[sizeof e->text];
	memcpy(old, e->text, sizeof old);
	va_list args;
	va_start(args, format);
	int n = vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof e->text)
		snprintf(e->text + n, sizeof e->text - n, ": %s", old);
	return e->code;
}

static enum errcode code_of_errno(int value)
{
	switch (value) {
	case ENOSPC:
	case EDQUOT:
		return E_NO_SPACE;
	case ENOMEM:
		return E_NO_MEMORY;
	default:
		return E_IO;
	}
}

enum errcode err_errno(struct err *e, int errno_value, const char *format, ...)
{
	enum errcode code = code_of_errno(errno_value);
	if (e) {
		va_list args;
		va_start(args, format);
		fill(e, code, format, args);
		va_end(args);
		size_t n = strlen(e->text);
		snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(errno_value));
	}
	return code;
}

const char *err_word(enum errcode code)
{
	static const char *const words[] = {
		[E_OK] = "ok",
		[E_INVALID] = "invalid",
		[E_NOT_FOUND] = "not_found",
		[E_CONFLICT] = "conflict",
		[E_STATE] = "wrong_state",
		[E_FENCE] = "fenced",
		[E_TOO_LARGE] = "too_large",
		[E_LIMIT] = "limited",
		[E_NO_SPACE] = "no_space",
		[E_IO] = "io",
		[E_TIMEOUT] = "timeout",
		[E_UNAVAILABLE] = "unavailable",
		[E_DENIED] = "denied",
		[E_CANCELLED] = "cancelled",
		[E_NO_MEMORY] = "no_memory",
		[E_INTERNAL] = "internal",
	};
	return code < sizeof words / sizeof *words && words[code] ? words[code] : "internal";
}
