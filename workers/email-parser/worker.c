/* worker.c - the face of the e-mail parser towards Reeve; everything else is plain functions behind pass.h. */
#include "contract.h"
#include "options.h"
#include "pass.h"
#include "put.h"

#include <reeve/worker.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int worker_emit(void *job, uint64_t key, const char *item, size_t n)
{
	return reeve_emit(job, key, item, n);
}

static int worker_checkpoint(void *job, const char *state, size_t n)
{
	return reeve_checkpoint(job, state, n);
}

static int worker_progress(void *job, int percent)
{
	return reeve_progress(job, percent, NULL);
}

static bool worker_cancelled(void *job)
{
	return reeve_cancelled(job);
}

static int worker_blob(void *job, int fd, char *name, size_t size)
{
	return reeve_blob(job, fd, name, size);
}

static const char *worker_scratch(void *job)
{
	return reeve_scratch(job);
}

/* The mail: what the job brought along, or its blob. */
static int worker_open(struct reeve_job *job, const struct options *o, struct fault *f)
{
	int fd = o->message ? memfd_create("message", MFD_CLOEXEC) : reeve_input_open(job);
	size_t written = 0;

	if (fd < 0)
		return fault_set(f, REEVE_E_INTERNAL, "PARSING_FAILED", true, "the input could not be opened (%d)", fd);
	while (o->message && written < o->message_n) {
		ssize_t n = write(fd, o->message + written, o->message_n - written);
		if (n <= 0) {
			close(fd);
			return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for the message");
		}
		written += (size_t)n;
	}
	return fd;
}

/* Without "blob" and "message" the input, opened, is the job's own JSON: say that, rather than that it is no mail. */
static int worker_check(const struct options *o, struct reeve_bytes input, int fd, struct fault *f)
{
	char first[1];
	off_t size = lseek(fd, 0, SEEK_END);

	if (o->message || !input.data || size != (off_t)input.size || pread(fd, first, 1, 0) != 1 || *first != *input.data)
		return 0;
	return fault_set(f, REEVE_E_INVALID, "INVALID_OPTIONS", false,
		"the job has neither \"blob\" (the mailbox, uploaded before) nor \"message\" (the text of a mailbox or "
		"message)");
}

static int worker_read(struct reeve_job *job, enum summary_kind kind, const struct options *o, struct fault *f)
{
	const struct host host = {.context = job,
		.emit = worker_emit,
		.checkpoint = worker_checkpoint,
		.progress = worker_progress,
		.cancelled = worker_cancelled,
		.blob = worker_blob,
		.scratch = worker_scratch};
	struct reeve_bytes resume = reeve_resume(job);
	struct pass pass = {.kind = kind, .options = o, .host = &host, .resume = resume.data, .resume_n = resume.size};
	struct buf out = {0};
	int fd = worker_open(job, o, f), rc = fd;

	if (fd >= 0) {
		rc = worker_check(o, reeve_input(job), fd, f);
		if (!rc)
			rc = pass_run(&pass, fd, &out, f);
		close(fd);
	}
	if (!rc)
		rc = reeve_reply(job, out.data, out.n);
	buf_fini(&out);
	return rc;
}

static int worker_handle(const struct options_config *config, struct reeve_job *job, enum summary_kind kind)
{
	struct reeve_bytes input = reeve_input(job);
	struct options o;
	struct fault f = {0};
	int rc = options_read(&o, config, input.data, input.size, &f);

	if (!rc) {
		rc = worker_read(job, kind, &o, &f);
		options_fini(&o);
	}
	if (rc && f.code)
		reeve_fail(job, f.code, f.retryable, f.message);
	return rc;
}

static int worker_parse(void *state, struct reeve_job *job)
{
	return worker_handle(state, job, SUMMARY_PARSE);
}

static int worker_analyze(void *state, struct reeve_job *job)
{
	return worker_handle(state, job, SUMMARY_ANALYZE);
}

static int worker_start(struct reeve_instance *self, void **state)
{
	struct reeve_bytes json = reeve_config(self);
	struct options_config *config = calloc(1, sizeof *config);
	struct fault f = {0};
	int rc = config ? options_config_read(config, json.data, json.size, &f) : REEVE_E_NO_MEMORY;

	if (rc) {
		struct buf fields = {0};
		put_open(&fields, '{');
		put_key(&fields, "reason");
		put_string(&fields, f.code ? f.message : "no memory");
		put_close(&fields, '}');
		reeve_log(self, REEVE_LOG_ERROR, "email-parser.config", fields.failed ? NULL : fields.data);
		buf_fini(&fields);
		free(config);
		return rc;
	}
	pass_prepare();
	*state = config;
	return REEVE_OK;
}

static void worker_stop(void *state)
{
	free(state);
}

static const char *const tags[] = {"mbox_parsing", "bulk_processing", NULL};

static const struct reeve_capability parse = {.size = sizeof parse,
	.flags = REEVE_STREAM | REEVE_IDEMPOTENT,
	.name = "email.parse",
	.version = "1.0.0",
	.summary = "Reads a mailbox or a message and emits each message as JSON.",
	.mode = "batch",
	.tags = tags,
	.input_schema = contract_input,
	.output_schema = contract_parse_output,
	.item_schema = contract_item,
	.errors = contract_errors,
	.handle = worker_parse};

static const struct reeve_capability analyze = {.size = sizeof analyze,
	.flags = REEVE_IDEMPOTENT,
	.name = "email.analyze",
	.version = "1.0.0",
	.summary = "Counts what is in a mailbox: senders, dates, sizes, words, attachments.",
	.mode = "batch",
	.tags = tags,
	.input_schema = contract_input,
	.output_schema = contract_analyze_output,
	.errors = contract_errors,
	.handle = worker_analyze};

static const struct reeve_capability *const capabilities[] = {&parse, &analyze, NULL};

const struct reeve_worker reeve_export = {.size = sizeof reeve_export,
	.abi = REEVE_ABI,
	.name = "email-parser",
	.version = "1.0.0",
	.config_schema = contract_config,
	.capabilities = capabilities,
	.start = worker_start,
	.stop = worker_stop};
