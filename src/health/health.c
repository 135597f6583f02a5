#include "health/health.h"

#include "base/mem.h"
#include "health/probe.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct health {
	struct loop *loop;
	struct list asked; /* of struct asked.link */
	struct prober *prober;
	void (*answer)(
		void *context, struct instance *i, enum health_question q, enum health_answer answer, const char *why);
	void *context;
};

struct asker { /* asks one question of one instance, again and again */
	struct asked *all;
	enum health_question question;
	struct loop_timer *timer; /* until the next; NULL: it is not asked now */
	struct probe *probe; /* under way */
	int64_t begun_ms;
};

struct asked { /* instance->health_data */
	struct list link;
	struct health *health;
	struct instance *instance;
	struct asker askers[HEALTH_QUESTIONS];
};

struct health *health_new(struct loop *l,
	void (*answer)(
		void *context, struct instance *i, enum health_question q, enum health_answer answer, const char *why),
	void *context)
{
	struct health *h = NEW(struct health);
	h->loop = l;
	list_init(&h->asked);
	h->prober = prober_new(l);
	h->answer = answer;
	h->context = context;
	return h;
}

static void end(struct asker *a)
{
	probe_cancel(a->probe);
	loop_timer_free(a->timer);
	a->probe = NULL;
	a->timer = NULL;
}

void health_forget(struct instance *i)
{
	struct asked *all = i->health_data;
	if (!all)
		return;
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		end(&all->askers[q]);
	list_remove(&all->link);
	free(all);
	i->health_data = NULL;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	while (!list_empty(&h->asked))
		health_forget(container_of(h->asked.next, struct asked, link)->instance);
	prober_free(h->prober);
	free(h);
}

static const struct health_check *check_of(const struct asker *a)
{
	return &a->all->instance->worker->health[a->question];
}

static void ask_later(struct asker *a)
{
	int64_t passed = loop_now_ms(a->all->health->loop) - a->begun_ms, interval = check_of(a)->interval_ms;
	loop_timer_set(a->timer, passed < interval ? interval - passed : 0);
}

static void tell(struct asker *a, bool ok, const char *why)
{
	struct health *h = a->all->health;
	ask_later(a); /* first: whoever is told may end it */
	h->answer(h->context, a->all->instance, a->question, ok ? HEALTH_WELL : HEALTH_UNWELL, why);
}

static void on_answer(void *context, bool ok, const char *why)
{
	struct asker *a = context;
	a->probe = NULL;
	tell(a, ok, why);
}

/* A path is asked of the URL that the instance has announced; until it has, it speaks for itself. */
static const char *url_of(const struct asker *a, char *into, size_t size)
{
	const char *url = check_of(a)->url;
	const struct instance *i = a->all->instance;
	if (!url || *url != '/')
		return url;
	if (strcmp(i->endpoint_type, "url") != 0)
		return NULL;
	size_t n = strlen(i->endpoint_address);
	while (n && i->endpoint_address[n - 1] == '/')
		n--;
	snprintf(into, size, "%.*s%s", (int)n, i->endpoint_address, url);
	return into;
}

static void ask(void *context)
{
	struct asker *a = context;
	char url[2048], why[PROBE_WHY];
	struct probe_question q = {check_of(a), url_of(a, url, sizeof url), a->all->instance};
	a->begun_ms = loop_now_ms(a->all->health->loop);
	if (q.check->type == HEALTH_HTTP && !q.url) {
		ask_later(a);
		return;
	}
	a->probe = probe_ask(a->all->health->prober, &q, on_answer, a, why);
	if (!a->probe)
		tell(a, false, why);
}

static bool is_asked(const struct instance *i, enum health_question q)
{
	enum health_type type = i->worker->health[q].type;
	if (type == HEALTH_NONE || type == HEALTH_OWN)
		return false;
	return q == HEALTH_STARTUP ? i->awaits_startup : i->state == INSTANCE_RUNNING;
}

static struct asked *asked_of(struct health *h, struct instance *i)
{
	struct asked *all = i->health_data;
	if (all)
		return all;
	i->health_data = all = NEW(struct asked);
	all->health = h;
	list_append(&h->asked, &all->link);
	all->instance = i;
	for (int q = 0; q < HEALTH_QUESTIONS; q++)
		all->askers[q] = (struct asker){.all = all, .question = (enum health_question)q};
	return all;
}

void health_update(struct health *h, struct instance *i)
{
	for (int q = 0; q < HEALTH_QUESTIONS; q++) {
		bool wanted = is_asked(i, (enum health_question)q);
		if (!wanted && !i->health_data)
			continue;
		struct asker *a = &asked_of(h, i)->askers[q];
		if (!wanted) {
			end(a);
		} else if (!a->timer) {
			a->timer = loop_timer_new(h->loop, ask, a);
			loop_timer_set(a->timer, check_of(a)->initial_delay_ms);
		}
	}
}
