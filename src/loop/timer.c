#include "loop/loop.h"

#include "base/mem.h"

#include <stdlib.h>

struct loop_timer {
	uv_timer_t uv;
	void (*fire)(void *context);
	void *context;
};

static void on_timer(uv_timer_t *uv)
{
	struct loop_timer *t = uv->data;
	t->fire(t->context);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fire)(void *context), void *context)
{
	struct loop_timer *t = NEW(struct loop_timer);
	*t = (struct loop_timer){.fire = fire, .context = context};
	uv_timer_init(loop_uv(l), &t->uv);
	t->uv.data = t;
	return t;
}

void loop_timer_set(struct loop_timer *t, int64_t after_ms)
{
	if (after_ms < 0)
		uv_timer_stop(&t->uv);
	else
		uv_timer_start(&t->uv, on_timer, (uint64_t)after_ms, 0);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, on_closed);
}
