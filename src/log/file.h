/* file.h - a log file that is written on the pool and rotated by size. The loop never waits for it.
 *
 * What is added is gathered; one write is under way at a time. Above OUTPUT_BEHIND_BYTES what comes is left out and counted;
 * the next write begins with a line that says so. Errors of the disk are counted in the same way: a log must not stop work. */
#pragma once
#include "base/bytes.h"

struct loop;
struct log_file;

struct log_file *log_file_open(struct loop *l, const char *directory, const char *name); /* <directory>/<name>.log */
void log_file_add(struct log_file *f, struct bytes lines);
/* Writes what waits: itself, when no write is under way (blocks); else that write does, and frees f. NULL is fine. */
void log_file_close(struct log_file *f);
