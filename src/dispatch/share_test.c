#include "dispatch/dispatch.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* One instance of a worker that serves several namespaces and two capabilities. What it is given ends when the test says so. */
static struct {
	struct store *store;
	struct queues *qs;
	struct registry *registry;
	struct dispatch *d;
	struct worker *worker;
	struct instance *i;
	bool want;
	struct delivery *given[4096];
	unsigned given_n, finished_n;
} f;

static const int64_t T0 = 1760000000000;

static void r_deliver(struct instance *i, struct delivery *d)
{
	f.given[f.given_n++] = d;
}

static void r_settled(struct instance *i, uint64_t id, uint64_t fence)
{
}

static const struct runner_ops runner = {.type = "fake", .deliver = r_deliver, .settled = r_settled};

static int64_t now_ms(void *context)
{
	return T0;
}

static void want_turn(void *context)
{
	f.want = true;
}

static void wake(void *context, int64_t at_ms)
{
}

static bool no_blob(void *context, struct bytes input, char name[80], bool *only)
{
	return false;
}

static void on_ready(void *context, struct queue *q)
{
	dispatch_ready(f.d, q);
}

static void turn(void)
{
	do {
		store_flush(f.store);
		f.want = false;
		dispatch_turn(f.d);
		store_flush(f.store);
	} while (f.want);
}

static void add_capability(const char *name)
{
	f.i->capabilities = mem_resize(f.i->capabilities, (f.i->capability_n + 1) * sizeof *f.i->capabilities);
	f.i->capabilities[f.i->capability_n++] = (struct capability){.name = mem_text(name), .version = mem_text("1.0.0")};
}

static int set_up(void **state)
{
	static const struct queue_hooks hooks = {.ready = on_ready};
	static const struct dispatch_calls calls = {
		.now_ms = now_ms, .want_turn = want_turn, .wake = wake, .blob_of = no_blob};
	memset(&f, 0, sizeof f);
	assert_int_equal(store_memory_open(NULL, &f.store, NULL), E_OK);
	f.qs = queues_new(f.store, 1, 42, &hooks);
	f.registry = registry_new();
	f.d = dispatch_new(f.qs, f.registry, &calls);
	assert_int_equal(queues_load(f.qs, T0, NULL), E_OK);
	json_t *json = json_loads("{\"id\":\"w\",\"type\":\"process\",\"package\":\"p\",\"concurrency\":4,\"prefetch\":0,"
							  "\"namespaces\":[\"a\",\"b\",\"c\"]}",
		0, NULL);
	assert_int_equal(worker_parse(json, &f.worker, NULL, NULL), E_OK);
	json_decref(json);
	f.i = instance_new(f.worker, &runner, "w-1", 0, T0);
	f.i->state = INSTANCE_RUNNING;
	add_capability("work");
	add_capability("rest");
	registry_add(f.registry, f.i);
	dispatch_instance_running(f.d, f.i);
	return 0;
}

static int tear_down(void **state)
{
	registry_remove(f.registry, f.i);
	dispatch_instance_gone(f.d, f.i);
	instance_free(f.i);
	store_flush(f.store);
	dispatch_free(f.d);
	registry_free(f.registry);
	store_close(f.store);
	queues_free(f.qs);
	worker_free(f.worker);
	return 0;
}

static void on_submitted(void *context, const struct submit_reply *r)
{
}

static void submit(const char *namespace, const char *capability, unsigned n)
{
	struct job_spec s;
	job_spec_init(&s);
	s.namespace = bytes_of(namespace);
	s.capability = bytes_of(capability);
	s.input = (struct bytes){namespace, 1}; /* so that a delivery says whose it is */
	while (n--)
		assert_int_equal(queues_submit(f.qs, &s, 1, T0, on_submitted, NULL, NULL), E_OK);
	store_flush(f.store);
}

static void weigh(const char *namespace, uint32_t weight)
{
	namespace_configure(f.qs, bytes_of(namespace), &(struct flow_limits){0}, weight);
}

/* Ends n jobs, `at_once` in each turn of the loop, and gives what comes for them. How many are of whom: in of['a']. */
static unsigned of[128];

static void serve(unsigned n, unsigned at_once)
{
	turn();
	memset(of, 0, sizeof of);
	unsigned from = f.given_n;
	for (unsigned k = 0; k < n; k++) {
		struct delivery *d = f.given[f.finished_n++];
		d->events->started(d);
		d->events->finished(d, bytes_of("1"), NULL);
		if (k % at_once == at_once - 1)
			turn();
	}
	turn();
	for (; from < f.given_n; from++)
		of[(unsigned char)f.given[from]->input.data[0]]++;
}

static void namespaces_share_an_instance_by_their_weights_while_each_has_jobs(void **state)
{
	weigh("b", 3);
	submit("a", "work", 500);
	submit("b", "work", 500);
	serve(200, 1);
	assert_in_range(of['b'], 149, 151);
	assert_in_range(of['a'], 49, 51);
	serve(200, 4); /* several that end in one turn, too */
	assert_in_range(of['b'], 149, 151);
}

static void three_namespaces_of_one_weight_have_a_third_each(void **state)
{
	submit("a", "work", 1000);
	submit("b", "work", 300);
	submit("c", "work", 300);
	serve(300, 3);
	assert_in_range(of['a'], 99, 101);
	assert_in_range(of['b'], 99, 101);
	assert_in_range(of['c'], 99, 101);
}

static void who_had_no_jobs_for_a_while_has_no_right_to_what_it_did_not_use(void **state)
{
	submit("a", "work", 1000);
	serve(400, 1);
	assert_int_equal(of['a'], 400);
	submit("b", "work", 400);
	serve(100, 1);
	assert_in_range(of['a'], 48, 52);
	assert_in_range(of['b'], 48, 52);
}

static void a_namespace_that_is_alone_has_all(void **state)
{
	weigh("b", 1000);
	submit("a", "work", 100);
	serve(50, 1);
	assert_int_equal(of['a'], 50);
}

static void one_capability_does_not_hold_up_the_other_of_its_worker(void **state)
{
	submit("a", "work", 500);
	submit("a", "rest", 50);
	struct queue_info info;
	serve(100, 1);
	queue_get_info(queues_get(f.qs, bytes_of("a"), bytes_of("rest")), &info);
	assert_in_range(info.completed_total + info.processing, 48, 50);
}

static void a_namespace_at_its_limit_leaves_the_instance_to_others(void **state)
{
	struct flow_limits one = {.all = {.concurrency = 1}};
	namespace_configure(f.qs, bytes_of("a"), &one, 1000);
	submit("a", "work", 300);
	submit("b", "work", 300);
	struct queue_info info;
	for (int k = 0; k < 50; k++) {
		serve(1, 1);
		queue_get_info(queues_get(f.qs, bytes_of("a"), bytes_of("work")), &info);
		assert_true(info.processing <= 1);
		assert_int_equal(f.i->in_flight, 4);
	}
	assert_true(
		info.completed_total >= 8); /* its share is large, its limit small: always the next, when its place is free */
}

static void jobs_of_a_namespace_that_it_does_not_serve_are_not_given_to_it(void **state)
{
	submit("x", "work", 5);
	turn();
	assert_int_equal(f.given_n, 0);
	assert_non_null(registry_find(f.registry, bytes_of("c"), bytes_of("rest")));
	assert_null(registry_find(f.registry, bytes_of("default"), bytes_of("work")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(namespaces_share_an_instance_by_their_weights_while_each_has_jobs),
		TEST(three_namespaces_of_one_weight_have_a_third_each),
		TEST(who_had_no_jobs_for_a_while_has_no_right_to_what_it_did_not_use),
		TEST(a_namespace_that_is_alone_has_all),
		TEST(one_capability_does_not_hold_up_the_other_of_its_worker),
		TEST(a_namespace_at_its_limit_leaves_the_instance_to_others),
		TEST(jobs_of_a_namespace_that_it_does_not_serve_are_not_given_to_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
