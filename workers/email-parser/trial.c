#include "trial.h"

#include <reeve/worker.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int trial_emit(void *context, uint64_t key, const char *item, size_t n)
{
	struct trial *t = context;

	if (t->stop_after && t->n == t->stop_after)
		return REEVE_E_INTERNAL;
	if (t->n == TRIAL_ITEMS)
		abort();
	t->keys[t->n] = key;
	t->items[t->n++] = strndup(item, n);
	return 0;
}

static int trial_checkpoint(void *context, const char *state, size_t n)
{
	struct trial *t = context;

	if (n > 1 << 20)
		return REEVE_E_TOO_LARGE;
	free(t->checkpoint);
	t->checkpoint = strndup(state, n);
	t->checkpoints++;
	return 0;
}

static int trial_blob(void *context, int fd, char *name, size_t size)
{
	struct trial *t = context;
	off_t n = lseek(fd, 0, SEEK_END);

	free(t->blob);
	t->blob = malloc((size_t)n + 1);
	t->blob_n = (size_t)n;
	if (!t->blob || pread(fd, t->blob, (size_t)n, 0) != n)
		return REEVE_E_INTERNAL;
	snprintf(name, size, "sha256:test");
	return 0;
}

static const char *trial_scratch(void *context)
{
	const char *directory = getenv("TMPDIR");

	return directory ? directory : "/tmp";
}

static void trial_clear(struct trial *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->items[i]);
		json_decref(t->parsed[i]);
	}
	free(t->result);
	free(t->blob);
	free(t->checkpoint);
	*t = (struct trial){.options = t->options, .kind = t->kind, .resume = t->resume, .stop_after = t->stop_after};
}

void trial_fini(struct trial *t)
{
	trial_clear(t);
}

void trial_run(struct trial *t, const char *mail, size_t n)
{
	const struct host host = {
		.context = t, .emit = trial_emit, .checkpoint = trial_checkpoint, .blob = trial_blob, .scratch = trial_scratch};
	struct options_config config;
	struct options o = {0};
	struct buf out = {0};
	int fd = memfd_create("mail", MFD_CLOEXEC);

	pass_prepare();
	trial_clear(t);
	if (fd < 0 || write(fd, mail, n) != (ssize_t)n)
		abort();
	t->rc = options_config_read(&config, NULL, 0, &t->fault);
	if (!t->rc)
		t->rc = options_read(&o, &config, t->options, t->options ? strlen(t->options) : 0, &t->fault);
	if (!t->rc) {
		struct pass p = {.kind = t->kind,
			.options = &o,
			.host = &host,
			.resume = t->resume,
			.resume_n = t->resume ? strlen(t->resume) : 0};
		t->rc = pass_run(&p, fd, &out, &t->fault);
		options_fini(&o);
	}
	t->result = out.data; /* ours now */
	close(fd);
}

static json_t *trial_find(struct trial *t, size_t i, const char *path)
{
	static json_t *result; /* kept until the next look */
	json_t *at;
	char *copy = strdup(path), *rest = copy;

	if (i == SIZE_MAX) {
		json_decref(result);
		at = result = json_loads(t->result ? t->result : "", 0, NULL);
	} else {
		if (i < t->n && !t->parsed[i])
			t->parsed[i] = json_loads(t->items[i], 0, NULL);
		at = i < t->n ? t->parsed[i] : NULL;
	}
	for (char *name; at && (name = strsep(&rest, "."));)
		at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);
	free(copy);
	return at;
}

const char *trial_string(struct trial *t, size_t i, const char *path)
{
	return json_string_value(trial_find(t, i, path));
}

long long trial_integer(struct trial *t, size_t i, const char *path)
{
	json_t *value = trial_find(t, i, path);

	if (json_is_array(value))
		return (long long)json_array_size(value);
	if (json_is_boolean(value))
		return json_is_true(value);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}
