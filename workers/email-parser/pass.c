#include "pass.h"

#include "checkpoint.h"
#include "item.h"
#include "result.h"

#include <pthread.h>
#include <reeve/worker.h>
#include <stdlib.h>

struct course {
	const struct pass *pass;
	struct mbox mbox;
	struct reader *reader;
	struct summary summary;
	bool found[KEYWORDS_MAX];
	struct buf item, state, searched, folded;
	uint64_t kept_at; /* offset of the last checkpoint */
	uint64_t kept_messages; /* messages before it */
	int percent;
};

static void pass_prepare_once(void)
{
	g_mime_init();
}

void pass_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, pass_prepare_once);
}

static int course_resume(struct course *c, struct fault *f)
{
	const struct pass *p = c->pass;
	uint64_t next;

	if (!p->resume)
		return 0;
	if (!checkpoint_read(p->resume, p->resume_n, &next, &c->summary, &p->options->keywords) || next > c->mbox.size)
		return fault_set(f, REEVE_E_INTERNAL, "PARSING_FAILED", false,
			"the checkpoint of an earlier attempt does not belong to this input; submit the job again");
	c->mbox.next = c->kept_at = next;
	c->kept_messages = c->summary.messages;
	return 0;
}

/* Subject and text, as one: a keyword may stand in either. */
static size_t course_search(struct course *c, const struct message *m)
{
	const struct keywords *k = &c->pass->options->keywords;

	if (!k->n)
		return 0;
	buf_cut(&c->searched, 0);
	buf_text(&c->searched, m->subject ? m->subject : "");
	buf_add(&c->searched, "\n\f\n", 3);
	if (m->text.n)
		buf_add(&c->searched, m->text.data, m->text.n);
	if (c->searched.failed)
		return 0;
	return keywords_find(k, c->searched.data, c->searched.n, c->found, &c->folded);
}

static int course_emit(struct course *c, const struct message *m, uint64_t key, size_t matched, struct fault *f)
{
	const struct pass *p = c->pass;
	struct item_view view = {.key = key,
		.snippet_length = p->options->snippet_length,
		.keywords = &p->options->keywords,
		.found = c->found,
		.matched = matched};

	if (p->kind != SUMMARY_PARSE)
		return 0;
	if (!item_write(&c->item, m, &view))
		return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true,
			"no memory for the item of the message at byte %llu", (unsigned long long)key);
	return p->host->emit(p->host->context, key, c->item.data, c->item.n);
}

static int course_checkpoint(struct course *c)
{
	const struct host *host = c->pass->host;
	uint64_t bytes = c->mbox.next - c->kept_at, messages = c->summary.messages - c->kept_messages;

	if (!host->checkpoint || (messages < PASS_CHECKPOINT_MESSAGES && bytes < PASS_CHECKPOINT_BYTES) ||
		bytes < c->state.n * PASS_CHECKPOINT_SHARE)
		return 0;
	buf_cut(&c->state, 0);
	checkpoint_write(&c->state, c->mbox.next, &c->summary, &c->pass->options->keywords);
	c->kept_at = c->mbox.next;
	c->kept_messages = c->summary.messages;
	if (c->state.n > PASS_CHECKPOINT_MAX)
		return 0;
	return c->state.failed ? REEVE_E_NO_MEMORY : host->checkpoint(host->context, c->state.data, c->state.n);
}

static int course_progress(struct course *c)
{
	const struct host *host = c->pass->host;
	int percent = c->mbox.size ? (int)((double)c->mbox.next / (double)c->mbox.size * 100) : 100;

	if (!host->progress || percent == c->percent)
		return 0;
	c->percent = percent;
	return host->progress(host->context, percent);
}

static int course_step(struct course *c, const struct mbox_span *span, struct fault *f)
{
	const struct message *m;
	size_t matched;
	int rc = reader_read(c->reader, &c->mbox, span, &m, f);

	if (rc)
		return rc;
	matched = course_search(c, m);
	rc = course_emit(c, m, span->at, matched, f);
	if (rc < 0)
		return rc;
	summary_add(&c->summary, m, &c->pass->options->keywords, c->found);
	rc = course_checkpoint(c);
	if (rc >= 0)
		rc = course_progress(c);
	return rc < 0 ? rc : 0;
}

static int course_run(struct course *c, struct fault *f)
{
	const struct host *host = c->pass->host;
	struct mbox_span span;
	int rc = course_resume(c, f);

	while (!rc && c->summary.messages < c->pass->options->max_messages) {
		if (host->cancelled && host->cancelled(host->context))
			return REEVE_E_CANCELLED;
		int more = mbox_next(&c->mbox, &span, f);
		if (more <= 0)
			return more;
		rc = course_step(c, &span, f);
	}
	return rc;
}

int pass_run(const struct pass *p, int fd, struct buf *out, struct fault *f)
{
	struct course *c = calloc(1, sizeof *c); /* threads of a module may have small stacks */
	int rc;

	if (!c)
		return fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory to begin");
	c->pass = p;
	c->percent = -1;
	summary_init(&c->summary, p->kind, &p->options->keywords);
	c->reader = reader_new(&p->options->limits, p->host);
	rc = c->reader ? mbox_open(&c->mbox, fd, p->options->format, f)
				   : fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory to begin");
	if (!rc)
		rc = course_run(c, f);
	if (!rc)
		result_write(out, &c->summary, &p->options->keywords, c->mbox.format, c->mbox.next);
	if (!rc && out->failed)
		rc = fault_set(f, REEVE_E_NO_MEMORY, "PARSING_FAILED", true, "no memory for the result");
	reader_free(c->reader);
	mbox_close(&c->mbox);
	summary_fini(&c->summary);
	buf_fini(&c->item);
	buf_fini(&c->state);
	buf_fini(&c->searched);
	buf_fini(&c->folded);
	free(c);
	return rc;
}
