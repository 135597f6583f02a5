#include "log/log.h"

#include "base/rfc3339.h"
#include "os/fd.h"
#include "os/os_clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int target = 2;

const char *log_word(int severity)
{
	static const char *const words[] = {"debug", "info", "warning", "error"};
	return words[severity < 0 ? 0 : severity > LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR : severity];
}

const char *log_worker_word(int severity)
{
	if (severity <= 3)
		return log_word(LOG_LEVEL_ERROR);
	if (severity == 4)
		return log_word(LOG_LEVEL_WARNING);
	return log_word(severity <= 6 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
}

void log_set_fd(int fd)
{
	target = fd;
}

void log_write(enum log_severity severity, const char *event, const char *fields, ...)
{
	char line[4096], when[RFC3339_SIZE];
	if (severity < LOG_LEVEL_INFO)
		return;
	rfc3339_format(os_clock_ms(), when);
	size_t room = sizeof line - 1; /* for the line's end */
	size_t n = (size_t)snprintf(line, room, "%s %s %s", when, log_word(severity), event);
	if (fields && n < room - 1) {
		line[n++] = ' ';
		va_list args;
		va_start(args, fields);
		int more = vsnprintf(line + n, room - n, fields, args);
		va_end(args);
		n += more > 0 ? (size_t)more : 0;
	}
	n = n < room ? n : room - 1;
	for (char *c = line; (c = memchr(c, '\n', (size_t)(line + n - c)));)
		*c = ' ';
	line[n++] = '\n';
	fd_write_all(target, line, n); /* nobody is left to tell when this fails */
}
