#include "run_input.h"

#include "files.h"
#include "wire/host.h"
#include "wire/jsontext.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MAX = 1 << 20 };

static bool complain(const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
	return false;
}

/* Up to `limit` bytes of a small file. */
static bool read_small(const char *what, const char *path, size_t limit, struct text *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = -1;

	if (fd < 0)
		return complain(what, path);
	if (text_reserve(out, limit + 1) && (n = files_read(fd, out->data, limit + 1)) < 0)
		complain(what, path);
	close(fd);
	if (n > (long)limit)
		fprintf(stderr, "%s %s: longer than %zu bytes\n", what, path, limit);
	if (n < 0 || n > (long)limit)
		return false;
	out->size = (size_t)n;
	out->data[n] = 0;
	return true;
}

static bool read_config(struct text *config, const char *given)
{
	if (!given)
		given = "{}";
	if (given[0] != '@')
		text_put(config, given);
	else if (!read_small("--config", given + 1, CONFIG_MAX, config))
		return false;
	if (config->failed || !jsontext_is_object(config->data, config->size)) {
		fprintf(stderr, "--config: %s is not a JSON object\n", given);
		return false;
	}
	return true;
}

/* What was read already, and the rest of `fd`, as an unnamed file. */
static int spool(int fd, const struct text *head)
{
	const char *under = getenv("TMPDIR");
	char block[64 << 10];
	long n;
	int file = open(under && *under ? under : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (file < 0)
		file = memfd_create("reeve-input", MFD_CLOEXEC);
	if (file < 0 || !files_write(file, head->data, head->size))
		return -1;
	while ((n = files_read(fd, block, sizeof block)) > 0)
		if (!files_write(file, block, (size_t)n))
			return -1;
	return n < 0 ? -1 : file;
}

static bool has_blob_member(const struct text *t)
{
	struct jsontext v;
	const char *open = memchr(t->data, '{', t->size);
	struct jsontext object = {open, open ? t->size - (size_t)(open - t->data) : 0};
	return jsontext_is_object(t->data, t->size) && jsontext_get(object, "blob", &v) && v.size > 8 &&
		   memcmp(v.data, "\"sha256:", 8) == 0;
}

/* stdin when there is no --input: inline, or the blob. */
static bool take_stdin(struct run_input *in, const struct reeve_capability *c)
{
	struct text *t = &in->inline_bytes;
	bool small = t->size <= HOST_INPUT_MAX;

	if (t->size == 0)
		text_put(t, c->flags & REEVE_BINARY_INPUT ? "" : "{}");
	if (small && (c->flags & REEVE_BINARY_INPUT))
		return true;
	if (small && jsontext_check(t->data, t->size, NULL)) {
		if (!has_blob_member(t))
			return true;
		fprintf(
			stderr, "the input names a blob, but without a daemon there is none: give its content by --input FILE\n");
		return false;
	}
	in->blob_fd = spool(STDIN_FILENO, t);
	if (in->blob_fd < 0)
		return complain("reading", "stdin");
	text_fini(t);
	return true;
}

static bool read_stdin(struct run_input *in)
{
	struct stat st;
	long n;

	if (isatty(STDIN_FILENO) || fstat(STDIN_FILENO, &st) < 0)
		return true;
	if (!text_reserve(&in->inline_bytes, HOST_INPUT_MAX + 1))
		return complain("reading", "stdin");
	n = files_read(STDIN_FILENO, in->inline_bytes.data, HOST_INPUT_MAX + 1);
	if (n < 0)
		return complain("reading", "stdin");
	in->inline_bytes.size = (size_t)n;
	in->inline_bytes.data[n] = 0;
	return true;
}

/* --input FILE: the blob; stdin then holds options. */
static bool open_input(struct run_input *in, const char *path)
{
	struct text *t = &in->inline_bytes;

	in->blob_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (in->blob_fd < 0)
		return complain("--input", path);
	if (lseek(in->blob_fd, 0, SEEK_CUR) < 0) { /* a pipe */
		int file = spool(in->blob_fd, &(struct text){0});
		close(in->blob_fd);
		in->blob_fd = file;
		if (file < 0)
			return complain("--input", path);
	}
	if (t->size == 0) {
		text_fini(t);
		return true;
	}
	if (t->size > HOST_INPUT_MAX || !jsontext_is_object(t->data, t->size)) {
		fprintf(
			stderr, "stdin: with --input it holds the options, a JSON object of at most %d bytes\n", HOST_INPUT_MAX);
		return false;
	}
	return true;
}

bool run_input_read(struct run_input *in, const struct run_options *options, const struct reeve_capability *c)
{
	*in = (struct run_input){.blob_fd = -1};
	if (!read_config(&in->config, options->config) || !read_stdin(in))
		return false;
	if (!(options->input ? open_input(in, options->input) : take_stdin(in, c)))
		return false;
	if (options->checkpoint && access(options->checkpoint, F_OK) == 0)
		return read_small("--checkpoint", options->checkpoint, HOST_CHECKPOINT_MAX, &in->checkpoint);
	return true;
}

void run_input_fini(struct run_input *in)
{
	text_fini(&in->inline_bytes);
	text_fini(&in->config);
	text_fini(&in->checkpoint);
	if (in->blob_fd >= 0)
		close(in->blob_fd);
}
