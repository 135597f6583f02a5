/* fault.h - why a job could not be done: a code for programs, a sentence for people. Header only. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

struct fault {
	const char *code; /* one of the codes in contract.c; a literal */
	bool retryable; /* would the same input succeed later? */
	char message[320]; /* names the value, the place, and what would be right */
};

/* Fills in `f` and returns `outcome`, so that `return fault_set(...)` ends a function. Keeps the first fault that was set. */
__attribute__((format(printf, 5, 6))) static inline int fault_set(
	struct fault *f, int outcome, const char *code, bool retryable, const char *format, ...)
{
	va_list arguments;

	if (f->code)
		return outcome;
	f->code = code;
	f->retryable = retryable;
	va_start(arguments, format);
	vsnprintf(f->message, sizeof f->message, format, arguments);
	va_end(arguments);
	return outcome;
}
