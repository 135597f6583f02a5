/* log.h - the daemon's own log: one line per event on stderr, for people and for grep.
 *
 *   2026-11-22T03:45:00.125Z info worker_started worker=resizer instance=resizer-3fa2c1 pid=4711
 *
 * Libraries below `process` never log: they return. Whoever decides logs once per event, with the ids of worker and job. */
#pragma once

enum log_severity { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

const char *log_word(int severity); /* "info"; never NULL */
const char *log_worker_word(int severity); /* the same for what workers say: REEVE_LOG_… are as those of syslog */
void log_set_fd(int fd); /* at first: 2 */

/* `event` is one word; the fields are "key=value key=\"with spaces\"", or NULL. One write per line, cut at 4 KiB; a line
 * break within becomes a space. Debug lines are not written: that severity is for what workers log. Any thread. */
void log_write(enum log_severity severity, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
