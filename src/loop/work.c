#include "loop/loop.h"

#include "base/mem.h"

#include <stdlib.h>

struct work {
	uv_work_t uv;
	void (*run)(void *context);
	void (*done)(void *context);
	void *context;
};

static void on_pool(uv_work_t *uv)
{
	struct work *w = uv->data;
	w->run(w->context);
}

static void on_done(uv_work_t *uv, int status)
{
	struct work *w = uv->data; /* status: we never cancel */
	w->done(w->context);
	free(w);
}

void loop_work(struct loop *l, void (*run)(void *context), void (*done)(void *context), void *context)
{
	struct work *w = NEW(struct work);
	*w = (struct work){.run = run, .done = done, .context = context};
	w->uv.data = w;
	if (uv_queue_work(loop_uv(l), &w->uv, on_pool, on_done) != 0)
		abort(); /* only for a NULL function */
}
