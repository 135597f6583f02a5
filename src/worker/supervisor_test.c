#include "worker/supervisor.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* A fake runner and a fake clock: the test says when a start succeeds, an instance fails, time passes. */
static struct {
	struct supervisor *s;
	struct instance_events events;
	int64_t now, wake;
	unsigned starts, stops, kills, gone, workers_gone, resolved;
	unsigned probes, essential_lost;
	bool refuse_start, initialize_fails;
	struct instance_error killed;
} f;

static enum errcode fake_start(struct instance *i, struct err *e)
{
	f.starts++;
	return f.refuse_start ? err_set(e, E_NOT_FOUND, "executable /nowhere does not exist") : E_OK;
}

static void fake_stop(struct instance *i, int64_t grace_ms)
{
	f.stops++;
}

static void fake_kill(struct instance *i, const struct instance_error *why)
{
	f.kills++;
	f.killed = *why;
}

static const struct runner_ops fake = {.type = "process", .start = fake_start, .stop = fake_stop, .kill = fake_kill};

static const struct runner_ops *runner(void *context, const struct worker *w)
{
	return &fake;
}

static enum errcode initialize(void *context, struct instance *i, bool *later, struct err *e)
{
	return f.initialize_fails ? err_set(e, E_INVALID, "config: port: expected a number") : E_OK;
}

static enum errcode resolve(void *context, struct instance *i, struct err *e)
{
	f.resolved++;
	return E_OK;
}

static void changed(void *context, struct instance *i, enum instance_state from)
{
}

static void probe(void *context, struct instance *i)
{
	f.probes++;
}

static void essential_lost(void *context, const struct instance *i)
{
	f.essential_lost++;
}

static void gone(void *context, struct instance *i)
{
	f.gone++;
}

static void worker_gone(void *context, struct worker *w)
{
	f.workers_gone++;
}

static void wake(void *context, int64_t at_ms)
{
	if (f.wake == 0 || at_ms < f.wake)
		f.wake = at_ms;
}

static int64_t now_ms(void *context)
{
	return f.now;
}

static int set_up(void **state)
{
	memset(&f, 0, sizeof f);
	f.now = 1000000;
	const struct supervisor_calls calls = {.runner = runner,
		.initialize = initialize,
		.resolve = resolve,
		.changed = changed,
		.probe = probe,
		.essential_lost = essential_lost,
		.gone = gone,
		.worker_gone = worker_gone,
		.wake = wake,
		.now_ms = now_ms};
	f.s = supervisor_new(&calls, 1);
	f.events = supervisor_events(f.s);
	return 0;
}

static int tear_down(void **state)
{
	supervisor_free(f.s);
	return 0;
}

static struct worker *worker(const char *more)
{
	struct worker *w;
	struct err e;
	char text[512];
	snprintf(text, sizeof text,
		"{\"id\":\"w\",\"type\":\"process\",\"execution\":{\"executable_path\":\"/bin/true\"}%s}", more);
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_int_equal(worker_parse(json, &w, NULL, &e), E_OK);
	json_decref(json);
	return w;
}

static struct instance *only(struct worker *w)
{
	assert_false(list_empty(&w->instances));
	return container_of(w->instances.next, struct instance, link);
}

static struct worker *add(const char *more)
{
	struct worker *w = worker(more);
	assert_int_equal(supervisor_add(f.s, w, NULL), E_OK);
	return w;
}

static void die(struct instance *i)
{
	struct instance_error error = {"crash", "run", "killed by SIGKILL", f.now, true};
	f.events.failed(f.events.context, i, &error);
}

static void pass(int64_t ms)
{
	f.now += ms;
	supervisor_tick(f.s, f.now);
}

static void an_added_worker_goes_all_the_way_to_running(void **state)
{
	struct instance *i = only(add(""));
	assert_int_equal(i->state, INSTANCE_STARTING);
	f.events.running(f.events.context, i);
	assert_int_equal(i->state, INSTANCE_RUNNING);
	assert_int_equal(i->history_n, 4);
	assert_int_equal(i->history[0].to, INSTANCE_INITIALIZING);
	assert_int_equal(i->history[1].to, INSTANCE_INITIALIZED);
}

static void a_second_worker_of_that_id_is_refused(void **state)
{
	struct err e;
	struct worker *twin = worker("");
	add("");
	assert_int_equal(supervisor_add(f.s, twin, &e), E_CONFLICT);
	assert_string_equal(e.text, "there is a worker \"w\" already");
	worker_free(twin);
}

static void a_refused_configuration_fails_before_start_and_is_not_tried_again(void **state)
{
	f.initialize_fails = true;
	struct instance *i = only(add(""));
	assert_int_equal(i->state, INSTANCE_FAILED);
	assert_string_equal(i->last_error.phase, "initialize");
	assert_int_equal(f.starts, 0);
	pass(3600000);
	assert_int_equal(f.starts, 0);
}

static void a_start_that_is_refused_is_failed_with_its_sentence(void **state)
{
	f.refuse_start = true;
	struct instance *i = only(add(""));
	assert_int_equal(i->state, INSTANCE_FAILED);
	assert_string_equal(i->last_error.details, "executable /nowhere does not exist");
	assert_false(i->last_error.recoverable);
}

static void a_dead_instance_is_started_again_after_a_growing_wait(void **state)
{
	struct instance *i = only(add(",\"restart\":{\"delay\":\"1s\",\"cap\":\"4s\",\"max\":0}"));
	int64_t least[] = {500, 1000, 2000, 2000}, most[] = {1000, 2000, 4000, 4000};
	for (int k = 0; k < 4; k++) {
		f.events.running(f.events.context, i);
		die(i);
		assert_int_equal(i->state, INSTANCE_FAILED);
		int64_t wait = i->next_try_at_ms - f.now;
		assert_true(wait >= least[k] && wait <= most[k]);
		pass(wait - 1);
		assert_int_equal(i->state, INSTANCE_FAILED);
		pass(1);
		assert_int_equal(i->state, INSTANCE_STARTING);
	}
	assert_int_equal(i->restarts, 4);
	assert_int_equal(f.resolved, 4); /* the first start follows `initializing`, which has done it */
}

static void a_module_that_crashed_the_engine_waits_and_is_given_up_in_the_end(void **state)
{
	supervisor_hold(f.s, true);
	struct worker *w = add(",\"restart\":{\"delay\":\"1s\",\"max\":3}");
	supervisor_blame(f.s, "w", 2, "module panic: SIGSEGV in capability x");
	struct instance *i = only(w);
	assert_int_equal(i->state, INSTANCE_FAILED);
	assert_string_equal(i->last_error.details, "module panic: SIGSEGV in capability x");
	assert_true(i->next_try_at_ms >= f.now + 1000);
	supervisor_hold(f.s, false);
	assert_int_equal(f.starts, 0);
	pass(2000);
	assert_int_equal(i->state, INSTANCE_STARTING);
	die(i);
	assert_int_equal(i->next_try_at_ms, 0);
}

static void a_worker_of_another_type_is_drained_and_replaced(void **state)
{
	struct worker *w = add("");
	struct instance *i = only(w);
	f.events.running(f.events.context, i);
	supervisor_set_type(f.s, w, WORKER_MODULE);
	assert_int_equal(f.stops, 1);
	assert_int_equal(f.starts, 2); /* the new one does not wait for the old one's jobs */
	f.events.stopped(f.events.context, i);
	assert_int_equal(f.gone, 1);
}

static void one_in_quarantine_stays_off_until_somebody_starts_it(void **state)
{
	supervisor_hold(f.s, true);
	struct worker *w = add(",\"on_crash\":\"quarantine\",\"replicas\":{\"min\":2}");
	supervisor_quarantine(f.s, w, "a panic");
	supervisor_hold(f.s, false);
	pass(600000);
	assert_int_equal(f.starts, 0);
	assert_int_equal(only(w)->state, INSTANCE_FAILED);
	assert_string_equal(only(w)->last_error.details, "quarantined after a panic; start it to try again");
	assert_int_equal(supervisor_start(f.s, "w", NULL), E_OK);
	assert_int_equal(f.starts, 2);
}

static void a_crash_loop_is_given_up_and_can_be_started_by_hand(void **state)
{
	struct instance *i = only(add(",\"restart\":{\"delay\":\"1s\",\"max\":3}"));
	for (int k = 0; k < 3; k++) {
		f.events.running(f.events.context, i);
		die(i);
		pass(60000);
	}
	assert_int_equal(i->state, INSTANCE_FAILED);
	assert_int_equal(i->next_try_at_ms, 0);
	assert_int_equal(supervisor_start(f.s, "w", NULL), E_OK);
	assert_int_equal(i->state, INSTANCE_STARTING);
}

static void one_that_has_run_for_the_window_begins_to_count_anew(void **state)
{
	struct instance *i = only(add(",\"restart\":{\"delay\":\"1s\",\"max\":3,\"window\":\"1m\"}"));
	for (int k = 0; k < 10; k++) {
		f.events.running(f.events.context, i);
		pass(61000);
		die(i);
		assert_true(i->next_try_at_ms > 0);
		pass(1000);
	}
}

static void never_means_never(void **state)
{
	struct instance *i = only(add(",\"restart\":{\"policy\":\"never\"}"));
	f.events.running(f.events.context, i);
	die(i);
	pass(3600000);
	assert_int_equal(i->state, INSTANCE_FAILED);
	assert_int_equal(f.starts, 1);
}

static void a_start_that_takes_too_long_is_a_startup_timeout(void **state)
{
	add(",\"start_timeout\":\"5s\"");
	pass(5000);
	assert_int_equal(f.kills, 0);
	pass(1);
	assert_int_equal(f.kills, 1);
	assert_string_equal(f.killed.details, "process startup timeout: not ready after 5000 ms");
	assert_string_equal(f.killed.category, "timeout");
}

static void stop_drains_and_stays_stopped(void **state)
{
	struct instance *i = only(add(""));
	f.events.running(f.events.context, i);
	assert_int_equal(supervisor_stop(f.s, "w", NULL), E_OK);
	assert_int_equal(i->state, INSTANCE_STOPPING);
	assert_true(i->draining);
	f.events.stopped(f.events.context, i);
	pass(3600000);
	assert_int_equal(i->state, INSTANCE_STOPPED);
	assert_int_equal(f.starts, 1);
}

static void stop_of_a_stopped_worker_is_refused(void **state)
{
	struct err e;
	struct instance *i = only(add(""));
	f.events.running(f.events.context, i);
	supervisor_stop(f.s, "w", NULL);
	f.events.stopped(f.events.context, i);
	assert_int_equal(supervisor_stop(f.s, "w", &e), E_STATE);
	assert_int_equal(supervisor_stop(f.s, "nobody", &e), E_NOT_FOUND);
}

static void restart_by_force_passes_a_backoff_and_without_force_is_refused(void **state)
{
	struct err e;
	struct instance *i = only(add(",\"restart\":{\"delay\":\"30s\"}"));
	f.events.running(f.events.context, i);
	die(i);
	assert_int_equal(supervisor_restart(f.s, "w", false, &e), E_STATE);
	assert_non_null(strstr(e.text, "killed by SIGKILL"));
	assert_int_equal(supervisor_restart(f.s, "w", true, &e), E_OK);
	assert_int_equal(i->state, INSTANCE_STARTING);
}

static void restart_drains_and_starts_again(void **state)
{
	struct instance *i = only(add(""));
	f.events.running(f.events.context, i);
	assert_int_equal(supervisor_restart(f.s, "w", false, NULL), E_OK);
	assert_int_equal(i->state, INSTANCE_STOPPING);
	f.events.stopped(f.events.context, i);
	pass(1);
	assert_int_equal(i->state, INSTANCE_STARTING);
}

static unsigned count(const struct worker *w)
{
	unsigned n = 0;
	list_each(&w->instances, at) n++;
	return n;
}

static void scale_starts_and_ends_instances_within_the_limits(void **state)
{
	struct err e;
	struct worker *w = add(",\"replicas\":{\"min\":1,\"max\":4}");
	assert_int_equal(supervisor_scale(f.s, "w", 4, &e), E_OK);
	assert_int_equal(count(w), 4);
	list_each(&w->instances, at) f.events.running(f.events.context, container_of(at, struct instance, link));
	assert_int_equal(supervisor_scale(f.s, "w", 5, &e), E_INVALID);
	assert_int_equal(supervisor_scale(f.s, "w", 2, &e), E_OK);
	assert_int_equal(f.stops, 2);
	list_each(&w->instances, at)
	{
		struct instance *i = container_of(at, struct instance, link);
		if (i->leaving)
			f.events.stopped(f.events.context, i);
	}
	assert_int_equal(count(w), 2);
	assert_int_equal(f.gone, 2);
}

static void a_busy_instance_is_not_the_one_scaled_away(void **state)
{
	struct worker *w = add(",\"replicas\":{\"min\":1,\"max\":2}");
	supervisor_scale(f.s, "w", 2, NULL);
	struct instance *first = only(w), *last = container_of(w->instances.prev, struct instance, link);
	f.events.running(f.events.context, first);
	f.events.running(f.events.context, last);
	last->in_flight = 3;
	supervisor_scale(f.s, "w", 1, NULL);
	assert_true(first->leaving);
	assert_false(last->leaving);
}

static void a_removed_worker_goes_with_its_last_instance(void **state)
{
	struct worker *w = add("");
	struct instance *i = only(w);
	f.events.running(f.events.context, i);
	assert_int_equal(supervisor_remove(f.s, "w", NULL), E_OK);
	assert_int_equal(f.workers_gone, 0);
	f.events.stopped(f.events.context, i);
	assert_int_equal(f.workers_gone, 1);
	assert_null(supervisor_find(f.s, "w"));
}

static void shutdown_ends_when_everything_has_stopped(void **state)
{
	struct instance *i = only(add(""));
	f.events.running(f.events.context, i);
	assert_false(supervisor_shutdown(f.s));
	f.events.stopped(f.events.context, i);
	assert_true(supervisor_shutdown(f.s));
}

static void an_adopted_instance_is_not_started_twice(void **state)
{
	supervisor_hold(f.s, true);
	struct worker *w = add("");
	struct instance *i = supervisor_adopt(f.s, "w", "w-0000aa");
	assert_non_null(i);
	supervisor_hold(f.s, false);
	assert_int_equal(f.starts, 0);
	assert_int_equal(count(w), 1);
	assert_null(supervisor_adopt(f.s, "nobody", "nobody-1"));
	f.events.running(f.events.context, i);
	assert_int_equal(i->state, INSTANCE_RUNNING);
}

/* ── the table and the declaration ── */

static void thirteen_transitions_are_allowed_and_no_other(void **state)
{
	unsigned n = 0;
	for (int from = 0; from < INSTANCE_STATES; from++)
		for (int to = 0; to < INSTANCE_STATES; to++)
			n += instance_may(from, to);
	assert_int_equal(n, 13);
	struct err e;
	struct worker *w = worker("");
	struct instance *i = instance_new(w, &fake, "w-1", 0, 0);
	assert_int_equal(instance_move(i, INSTANCE_RUNNING, 0, &e), E_STATE);
	assert_string_equal(
		e.text, "instance w-1 is uninitialized and cannot become running; from here it may become initializing");
	instance_free(i);
	worker_free(w);
}

static void refused(const char *text, const char *at, const char *sentence)
{
	struct worker *w = NULL;
	struct err e;
	char where[128] = "";
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_int_equal(worker_parse(json, &w, where, &e), E_INVALID);
	assert_string_equal(where, at);
	if (!strstr(e.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", e.text, sentence);
	json_decref(json);
}

static void what_a_schema_cannot_say_is_refused_with_its_place(void **state)
{
	refused("{\"id\":\"a\",\"type\":\"module\",\"package\":\"p\",\"limits\":{\"memory\":\"1GiB\"}}", "/limits",
		"it runs inside the engine");
	refused(
		"{\"id\":\"a\",\"type\":\"process\",\"package\":\"p\",\"start_timeout\":\"soon\"}", "/start_timeout", "soon");
	refused("{\"id\":\"a\",\"type\":\"process\",\"package\":\"p\",\"replicas\":{\"min\":3,\"max\":2}}", "/replicas/min",
		"above replicas.max (2)");
	refused("{\"id\":\"a\",\"type\":\"process\"}", "/type", "needs package");
	refused("{\"id\":\"a\",\"type\":\"module\",\"package\":\"p\",\"config\":{},\"module\":{\"config\":{}}}",
		"/module/config", "given twice");
	refused("{\"id\":\"a\",\"type\":\"process\",\"package\":\"p\",\"execution\":{\"environment\":{\"REEVE_X\":\"1\"}}}",
		"/execution/environment", "REEVE_X is Reeve's own");
}

static void diagnostics_of_a_module_have_the_agreed_values(void **state)
{
	struct worker *w;
	json_t *json = json_loads("{\"id\":\"a\",\"type\":\"module\",\"package\":\"p:1.0.0\"}", 0, NULL);
	assert_int_equal(worker_parse(json, &w, NULL, NULL), E_OK);
	json_decref(json);
	struct instance *i = instance_new(w, &fake, "a-1", 0, 0);
	struct buf b = {0};
	i->pid = 17;
	w->code.module = strdup("/proc/self/exe"); /* a file that exists */
	i->loaded_at_ms = 2000;
	strcpy(i->program, "data-processor");
	strcpy(i->version, "1.2.3");
	instance_set_error(i, "crash", "run", true, 1000, "module panic: %s", "SIGSEGV");
	instance_diagnostics(i, "{\"rss_bytes\":1}", &b);
	json = json_loadb(b.data, b.size, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "uninitialized");
	assert_string_equal(json_string_value(json_object_get(json, "type")), "module");
	assert_string_equal(json_string_value(json_object_get(json, "executable_path")), "in-proc-module");
	assert_true(json_is_true(json_object_get(json, "executable_exists")));
	assert_true(json_is_null(json_object_get(json, "resource_usage")));
	assert_int_equal(json_integer_value(json_object_get(json, "process_id")), 0);
	assert_string_equal(json_string_value(json_object_get(json, "kind")), "integrated_module");
	const json_t *module = json_object_get(json, "module");
	assert_string_equal(json_string_value(json_object_get(module, "id")), "data-processor");
	assert_string_equal(json_string_value(json_object_get(module, "version")), "1.2.3");
	assert_string_equal(json_string_value(json_object_get(module, "entry_point")), "reeve_export");
	assert_string_equal(json_string_value(json_object_get(module, "load_time")), "1970-01-01T00:00:02.000Z");
	const json_t *error = json_object_get(json, "last_error");
	assert_string_equal(json_string_value(json_object_get(error, "details")), "module panic: SIGSEGV");
	assert_string_equal(json_string_value(json_object_get(error, "timestamp")), "1970-01-01T00:00:01.000Z");
	json_decref(json);
	buf_fini(&b);
	instance_free(i);
	worker_free(w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void it_is_starting_until_its_startup_probe_says_otherwise(void **state)
{
	struct instance *i = only(add(",\"start_timeout\":\"5s\",\"startup_probe\":{\"port\":1,\"failure_threshold\":2}"));
	f.events.running(f.events.context, i);
	assert_int_equal(i->state, INSTANCE_STARTING);
	assert_true(i->awaits_startup);
	assert_int_equal(f.probes, 1);
	pass(60000); /* the probe has a limit of its own */
	assert_int_equal(f.kills, 0);
	supervisor_answer(f.s, i, HEALTH_STARTUP, HEALTH_UNWELL, "not yet");
	supervisor_answer(f.s, i, HEALTH_STARTUP, HEALTH_WELL, "");
	assert_int_equal(i->state, INSTANCE_RUNNING);
	supervisor_answer(f.s, i, HEALTH_STARTUP, HEALTH_UNWELL, "a late answer");
	assert_int_equal(f.kills, 0);
}

static void one_whose_startup_probe_fails_is_ended(void **state)
{
	struct instance *i = only(add(",\"startup_probe\":{\"port\":1,\"failure_threshold\":2}"));
	f.events.running(f.events.context, i);
	supervisor_answer(f.s, i, HEALTH_STARTUP, HEALTH_UNWELL, "no");
	assert_int_equal(f.kills, 0);
	supervisor_answer(f.s, i, HEALTH_STARTUP, HEALTH_UNWELL, "no");
	assert_int_equal(f.kills, 1);
	assert_string_equal(f.killed.details, "its startup probe failed 2 times in a row: no");
}

static void one_that_is_not_ready_is_given_nothing_and_left_alone(void **state)
{
	struct instance *i = only(add(",\"readiness_probe\":{\"port\":1,\"failure_threshold\":2}"));
	f.events.running(f.events.context, i);
	assert_false(i->healthy); /* nobody has asked yet */
	supervisor_answer(f.s, i, HEALTH_READINESS, HEALTH_WELL, "");
	assert_true(i->healthy);
	supervisor_answer(f.s, i, HEALTH_READINESS, HEALTH_UNWELL, "busy");
	assert_true(i->healthy);
	supervisor_answer(f.s, i, HEALTH_READINESS, HEALTH_UNWELL, "busy");
	assert_false(i->healthy);
	assert_int_equal(f.stops + f.kills, 0);
}

static void one_that_lives_no_more_is_drained_and_started_again(void **state)
{
	struct instance *i = only(add(",\"liveness_probe\":{\"port\":1,\"failure_threshold\":1}"));
	f.events.running(f.events.context, i);
	supervisor_answer(f.s, i, HEALTH_LIVENESS, HEALTH_UNWELL, "no");
	assert_int_equal(i->state, INSTANCE_STOPPING);
	assert_string_equal(i->last_error.category, "health");
	supervisor_answer(f.s, i, HEALTH_LIVENESS, HEALTH_UNWELL, "no"); /* restarts never pile up */
	assert_int_equal(f.stops, 1);
	f.events.stopped(f.events.context, i);
	pass(100);
	assert_int_equal(f.starts, 2);
	assert_int_equal(i->health[HEALTH_LIVENESS].status, HEALTH_UNKNOWN);
}

static void one_that_says_itself_that_it_is_unwell_is_not_started_again_unless_that_is_wanted(void **state)
{
	for (int wanted = 0; wanted < 2; wanted++) {
		struct instance *i = only(wanted ? add(",\"health_check\":{\"failure_threshold\":1,\"restart\":true}")
										 : add(",\"health_check\":{\"failure_threshold\":1}"));
		f.events.running(f.events.context, i);
		f.events.health(f.events.context, i, HEALTH_UNWELL, "no");
		assert_false(i->healthy);
		assert_int_equal(f.stops, wanted);
		tear_down(NULL);
		set_up(NULL);
		f.stops = 0;
	}
}

static void one_whose_breaker_is_open_stays_as_it_is(void **state)
{
	struct instance *i = only(add(",\"restart\":{\"max\":1},\"liveness_probe\":{\"port\":1,\"failure_threshold\":1}"));
	f.events.running(f.events.context, i);
	supervisor_answer(f.s, i, HEALTH_LIVENESS, HEALTH_UNWELL, "no");
	assert_int_equal(i->state, INSTANCE_RUNNING);
	assert_true(i->breaker.open);
	assert_false(i->healthy);
}

static void a_path_counts_when_there_is_a_url_that_it_can_be_asked_of(void **state)
{
	struct instance *i = only(add(",\"health_check\":{\"endpoint\":\"/health\"}"));
	assert_true(instance_speaks_for_itself(i));
	instance_set_endpoint(i, bytes_of("url"), bytes_of("http://127.0.0.1:80"), (struct bytes){0});
	assert_false(instance_speaks_for_itself(i));
}

static struct worker *named(const char *id, const char *after)
{
	struct worker *w = worker(after);
	free(w->id);
	w->id = mem_text(id);
	return w;
}

static void one_that_comes_after_another_waits_until_that_is_ready(void **state)
{
	supervisor_hold(f.s, true);
	struct worker *web = named("web", ",\"after\":[\"db\"]"), *db = named("db", ",\"readiness_probe\":{\"port\":1}");
	supervisor_add(f.s, web, NULL);
	supervisor_add(f.s, db, NULL);
	supervisor_hold(f.s, false);
	f.events.running(f.events.context, only(db));
	pass(1);
	assert_true(list_empty(&web->instances));
	supervisor_answer(f.s, only(db), HEALTH_READINESS, HEALTH_WELL, "");
	pass(1);
	f.events.running(f.events.context, only(web));
	assert_false(supervisor_shutdown(f.s));
	assert_int_equal(only(db)->state, INSTANCE_RUNNING); /* until web has stopped */
	assert_int_equal(only(web)->state, INSTANCE_STOPPING);
	f.events.stopped(f.events.context, only(web));
	assert_false(supervisor_shutdown(f.s));
	assert_int_equal(only(db)->state, INSTANCE_STOPPING);
	f.events.stopped(f.events.context, only(db));
	assert_true(supervisor_shutdown(f.s));
}

static void a_circle_that_was_made_at_run_time_stops_all_the_same(void **state)
{
	supervisor_hold(f.s, true);
	struct worker *a = named("a", ",\"after\":[\"b\"]"), *b = named("b", "");
	supervisor_add(f.s, a, NULL);
	supervisor_add(f.s, b, NULL);
	supervisor_hold(f.s, false);
	f.events.running(f.events.context, only(b));
	pass(1);
	f.events.running(f.events.context, only(a));
	free(b->after);
	b->after = mem_new(2 * sizeof *b->after);
	b->after[0] = mem_text("a");
	assert_false(supervisor_shutdown(f.s));
	assert_int_equal(f.stops, 2);
}

static void an_essential_worker_that_is_given_up_is_told(void **state)
{
	struct instance *i = only(add(",\"essential\":true,\"restart\":{\"max\":2,\"delay\":\"1ms\"}"));
	die(i);
	assert_int_equal(f.essential_lost, 0);
	pass(10);
	die(i);
	assert_int_equal(f.essential_lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_added_worker_goes_all_the_way_to_running),
		CASE(a_second_worker_of_that_id_is_refused),
		CASE(a_refused_configuration_fails_before_start_and_is_not_tried_again),
		CASE(a_start_that_is_refused_is_failed_with_its_sentence),
		CASE(a_dead_instance_is_started_again_after_a_growing_wait),
		CASE(a_module_that_crashed_the_engine_waits_and_is_given_up_in_the_end),
		CASE(a_worker_of_another_type_is_drained_and_replaced),
		CASE(one_in_quarantine_stays_off_until_somebody_starts_it),
		CASE(a_crash_loop_is_given_up_and_can_be_started_by_hand),
		CASE(one_that_has_run_for_the_window_begins_to_count_anew),
		CASE(never_means_never),
		CASE(a_start_that_takes_too_long_is_a_startup_timeout),
		CASE(stop_drains_and_stays_stopped),
		CASE(stop_of_a_stopped_worker_is_refused),
		CASE(restart_by_force_passes_a_backoff_and_without_force_is_refused),
		CASE(restart_drains_and_starts_again),
		CASE(scale_starts_and_ends_instances_within_the_limits),
		CASE(a_busy_instance_is_not_the_one_scaled_away),
		CASE(a_removed_worker_goes_with_its_last_instance),
		CASE(shutdown_ends_when_everything_has_stopped),
		CASE(an_adopted_instance_is_not_started_twice),
		CASE(thirteen_transitions_are_allowed_and_no_other),
		CASE(what_a_schema_cannot_say_is_refused_with_its_place),
		CASE(diagnostics_of_a_module_have_the_agreed_values),
		CASE(it_is_starting_until_its_startup_probe_says_otherwise),
		CASE(one_whose_startup_probe_fails_is_ended),
		CASE(one_that_is_not_ready_is_given_nothing_and_left_alone),
		CASE(one_that_lives_no_more_is_drained_and_started_again),
		CASE(one_that_says_itself_that_it_is_unwell_is_not_started_again_unless_that_is_wanted),
		CASE(one_whose_breaker_is_open_stays_as_it_is),
		CASE(a_path_counts_when_there_is_a_url_that_it_can_be_asked_of),
		CASE(one_that_comes_after_another_waits_until_that_is_ready),
		CASE(a_circle_that_was_made_at_run_time_stops_all_the_same),
		CASE(an_essential_worker_that_is_given_up_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
