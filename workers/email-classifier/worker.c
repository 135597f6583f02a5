/* worker.c - the face of the e-mail classifier towards Reeve; the judging is behind judge.h. */
#include <reeve/worker.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "answer.h"
#include "config.h"
#include "contract.h"
#include "request.h"

/* Memory for one mail, 130 KiB: kept from job to job, as many as ran at one time. */
struct desk {
	struct desk *next;
	struct request request;
	struct traits traits;
};

struct state {
	struct config config;
	struct judge *judge;
	pthread_mutex_t lock;
	struct desk *desks;
};

static struct desk *worker_take(struct state *s)
{
	pthread_mutex_lock(&s->lock);
	struct desk *d = s->desks;
	if (d)
		s->desks = d->next;
	pthread_mutex_unlock(&s->lock);
	return d ? d : malloc(sizeof *d);
}

static void worker_give(struct state *s, struct desk *d)
{
	pthread_mutex_lock(&s->lock);
	d->next = s->desks;
	s->desks = d;
	pthread_mutex_unlock(&s->lock);
}

static int worker_answer(struct state *s, struct desk *d, struct reeve_job *job, struct reeve_bytes input)
{
	struct verdict verdict[TYPES_N];
	char text[ANSWER_MAX], why[600];
	struct request *r = &d->request;
	if (request_read(r, input.data, input.size, why, sizeof why)) {
		reeve_fail(job, "INVALID_INPUT", 0, why);
		return REEVE_E_INVALID;
	}
	judge_mail(s->judge, &d->traits, &r->mail, r->asked, r->asked_n, verdict);
	size_t n =
		answer_write(text, r->asked, verdict, r->asked_n, r->threshold >= 0 ? r->threshold : s->config.threshold);
	return reeve_reply(job, text, n);
}

static int worker_classify(void *state, struct reeve_job *job)
{
	struct reeve_bytes input = reeve_input(job);
	if (!input.data) {
		reeve_fail(job, "INVALID_INPUT", 0, "the mail must be in the input itself, not in a blob");
		return REEVE_E_INVALID;
	}
	struct desk *d = worker_take(state);
	if (!d) {
		reeve_fail(job, "CLASSIFIER_UNAVAILABLE", 1, "no memory");
		return REEVE_E_NO_MEMORY;
	}
	int outcome = worker_answer(state, d, job, input);
	worker_give(state, d);
	return outcome;
}

static void worker_stop(void *state)
{
	struct state *s = state;
	while (s->desks) {
		struct desk *d = s->desks;
		s->desks = d->next;
		free(d);
	}
	judge_close(s->judge);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* A sentence as a JSON member; what would need an escape becomes a blank. */
static void worker_complain(const struct reeve_instance *self, const char *why)
{
	char fields[1200];
	int n = snprintf(fields, sizeof fields, "{\"reason\":\"%.1000s\"}", why);
	for (char *c = fields + 11; c < fields + n - 2; c++)
		*c = *c == '"' || *c == '\\' || (unsigned char)*c < 32 ? ' ' : *c;
	reeve_log(self, REEVE_LOG_ERROR, "email-classifier.unusable", fields);
}

static int worker_start(struct reeve_instance *self, void **state)
{
	struct reeve_bytes config = reeve_config(self);
	struct state *s = calloc(1, sizeof *s);
	char why[5000];
	if (!s)
		return REEVE_E_NO_MEMORY;
	pthread_mutex_init(&s->lock, NULL);
	int bad = config_read(&s->config, config.data, config.size, why, sizeof why);
	if (!bad)
		s->judge = judge_open(s->config.model_dir, s->config.language_dir, why, sizeof why);
	if (!s->judge) {
		worker_complain(self, why);
		worker_stop(s);
		return bad ? REEVE_E_INVALID : REEVE_E_NOT_FOUND;
	}
	*state = s;
	return REEVE_OK;
}

static const char *const tags[] = {"email", "classification", "spam_detection", "bill_detection", NULL};

static const struct reeve_capability classify = {.size = sizeof classify,
	.flags = REEVE_IDEMPOTENT,
	.name = "email.classify",
	.version = "1.0.0",
	.summary =
		"Says of a mail whether it is spam, a bill or a receipt, and its category, sentiment, priority and language.",
	.mode = "transactional",
	.tags = tags,
	.input_schema = contract_input,
	.output_schema = contract_output,
	.errors = contract_errors,
	.handle = worker_classify};

static const struct reeve_capability *const capabilities[] = {&classify, NULL};

const struct reeve_worker reeve_export = {.size = sizeof reeve_export,
	.abi = REEVE_ABI,
	.name = "email-classifier",
	.version = "1.0.0",
	.config_schema = contract_config,
	.capabilities = capabilities,
	.start = worker_start,
	.stop = worker_stop};
