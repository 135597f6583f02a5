#include "log/file.h"

#include "base/mem.h"
#include "log/output.h"
#include "loop/loop.h"
#include "os/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_file {
	struct message flush; /* must be first: loop_defer */
	struct loop *loop;
	char *path;
	struct buf waiting; /* loop's */
	size_t left_out; /* lines */
	bool deferred, writing, closed;
	struct buf under_way; /* the pool's while `writing` */
	bool failed;
};

static void start_write(struct log_file *f);

static void on_flush(struct message *m)
{
	struct log_file *f = container_of(m, struct log_file, flush);
	f->deferred = false;
	if (f->closed)
		log_file_close(f);
	else if (!f->writing)
		start_write(f);
}

struct log_file *log_file_open(struct loop *l, const char *directory, const char *name)
{
	struct log_file *f = NEW(struct log_file);
	f->flush.run = on_flush;
	f->loop = l;
	struct buf path = {0};
	buf_format(&path, "%s/%s.log", directory, name);
	f->path = buf_take(&path);
	return f;
}

static void rotate(const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];
	for (int n = OUTPUT_FILES; n >= 1; n--) {
		snprintf(to, sizeof to, "%s.%d", path, n);
		if (n > 1)
			snprintf(from, sizeof from, "%s.%d", path, n - 1);
		else
			snprintf(from, sizeof from, "%s", path);
		rename(from, to); /* it may not be there yet */
	}
}

/* Pool thread, or the loop's when closing. */
static void write_out(void *context)
{
	struct log_file *f = context;
	struct stat st;
	if (stat(f->path, &st) == 0 && st.st_size + (off_t)f->under_way.size > OUTPUT_FILE_BYTES && st.st_size > 0)
		rotate(f->path);
	int fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	f->failed = fd < 0 || fd_write_all(fd, f->under_way.data, f->under_way.size) < 0;
	if (fd >= 0)
		close(fd);
}

static void take_waiting(struct log_file *f)
{
	buf_clear(&f->under_way);
	if (f->left_out) {
		buf_format(&f->under_way, "... %zu lines were left out: the disk did not keep up\n", f->left_out);
		f->left_out = 0;
	}
	buf_add(&f->under_way, f->waiting.data, f->waiting.size);
	buf_clear(&f->waiting);
}

static void file_free(struct log_file *f)
{
	buf_fini(&f->waiting);
	buf_fini(&f->under_way);
	free(f->path);
	free(f);
}

static void on_written(void *context)
{
	struct log_file *f = context;
	f->writing = false;
	for (const char *at = f->under_way.data; f->failed && at < f->under_way.data + f->under_way.size; at++)
		f->left_out += *at == '\n';
	f->failed = false;
	if (f->closed)
		log_file_close(f);
	else if (f->waiting.size)
		start_write(f);
	else if (f->under_way.room > 64 << 10) /* a burst is over */
		buf_fini(&f->under_way);
}

static void start_write(struct log_file *f)
{
	take_waiting(f);
	f->writing = true;
	loop_work(f->loop, write_out, on_written, f);
}

void log_file_add(struct log_file *f, struct bytes lines)
{
	if (f->waiting.size + lines.size > OUTPUT_BEHIND_BYTES) {
		f->left_out++;
		return;
	}
	buf_add(&f->waiting, lines.data, lines.size);
	if (!f->writing && !f->deferred) {
		f->deferred = true;
		loop_defer(f->loop, &f->flush);
	}
}

void log_file_close(struct log_file *f)
{
	if (!f)
		return;
	f->closed = true;
	if (f->writing || f->deferred) /* both come back here */
		return;
	if (f->waiting.size) {
		take_waiting(f);
		write_out(f);
	}
	file_free(f);
}
