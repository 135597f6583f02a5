#include "metrics/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct metrics *metrics;

static int setup(void **state)
{
	metrics = metrics_new();
	return 0;
}

static int teardown(void **state)
{
	metrics_free(metrics);
	return 0;
}

static void expect_text(const char *want)
{
	struct buf b = {0};
	metrics_write(metrics, &b);
	assert_string_equal(b.data, want);
	buf_fini(&b);
}

static void a_counter_is_written_with_help_type_and_labels(void **state)
{
	struct metric_family *f =
		metrics_family(metrics, METRIC_COUNTER, "reeve_jobs_total", "Jobs that ended.", "capability,state");
	struct bytes a[] = {bytes_of("email.parse"), bytes_of("completed")}, b[] = {bytes_of("x\"\\\n\xff"), bytes_of("")};
	metric_add(metrics_get(f, a), 2);
	metric_add(metrics_get(f, a), 1);
	metric_add(metrics_get(f, b), 7);
	expect_text("# HELP reeve_jobs_total Jobs that ended.\n# TYPE reeve_jobs_total counter\n"
				"reeve_jobs_total{capability=\"email.parse\",state=\"completed\"} 3\n"
				"reeve_jobs_total{capability=\"x\\\"\\\\\\n?\",state=\"\"} 7\n");
}

static void set_depth(void *context)
{
	struct metric_family *f = metrics_family(metrics, METRIC_GAUGE, "reeve_depth", "Depth.", NULL);
	metrics_clear(f);
	metric_set(metrics_get(f, NULL), 1.5);
}

static void a_gauge_is_collected_when_somebody_looks(void **state)
{
	metrics_on_collect(metrics, set_depth, NULL);
	expect_text("# HELP reeve_depth Depth.\n# TYPE reeve_depth gauge\nreeve_depth 1.5\n");
}

static void a_histogram_is_cumulative_and_sums_up(void **state)
{
	struct metric *m =
		metrics_get1(metrics_family(metrics, METRIC_HISTOGRAM, "reeve_wait_seconds", "Wait.", "queue"), "a");
	metric_observe(m, 0.0001);
	metric_observe(m, 0.002);
	metric_observe(m, 5000);
	struct buf b = {0};
	metrics_write(metrics, &b);
	assert_non_null(strstr(b.data, "reeve_wait_seconds_bucket{queue=\"a\",le=\"0.0001\"} 1\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_bucket{queue=\"a\",le=\"0.001\"} 1\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_bucket{queue=\"a\",le=\"0.0025\"} 2\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_bucket{queue=\"a\",le=\"900\"} 2\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_bucket{queue=\"a\",le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_count{queue=\"a\"} 3\n"));
	assert_non_null(strstr(b.data, "reeve_wait_seconds_sum{queue=\"a\"} 5000.0021\n"));
	buf_fini(&b);
}

static void series_above_the_limit_are_counted_together(void **state)
{
	struct metric_family *f = metrics_family(metrics, METRIC_COUNTER, "reeve_many_total", "Many.", "id");
	char text[32];
	for (int i = 0; i < METRICS_SERIES_MAX + 100; i++) {
		snprintf(text, sizeof text, "%d", i);
		metric_add(metrics_get1(f, text), 1);
	}
	assert_int_equal((int)metric_value(metrics_get1(f, "other")), 100);
	assert_int_equal((int)metric_value(metrics_get1(f, "7")), 1);
}

static void *add_many(void *metric)
{
	for (int i = 0; i < 100000; i++)
		metric_add(metric, 1);
	return NULL;
}

static void *observe_many(void *metric)
{
	for (int i = 0; i < 100000; i++)
		metric_observe(metric, 0.5);
	return NULL;
}

static void threads_count_without_losing_any(void **state)
{
	pthread_t threads[4];
	struct metric *counter = metrics_get(metrics_family(metrics, METRIC_COUNTER, "reeve_a_total", "A.", NULL), NULL);
	struct metric *histogram =
		metrics_get(metrics_family(metrics, METRIC_HISTOGRAM, "reeve_b_seconds", "B.", NULL), NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, i % 2 ? add_many : observe_many, i % 2 ? counter : histogram);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal((int)metric_value(counter), 200000);
	struct buf b = {0};
	metrics_write(metrics, &b);
	assert_non_null(strstr(b.data, "reeve_b_seconds_sum 100000\n"));
	buf_fini(&b);
}

static void promtool_finds_nothing_to_say(void **state)
{
	if (system("command -v promtool >/dev/null") != 0)
		skip();
	metric_add(metrics_get1(metrics_family(metrics, METRIC_COUNTER, "reeve_jobs_total", "Jobs that ended.", "state"),
				   "completed"),
		3);
	metric_set(
		metrics_get(metrics_family(metrics, METRIC_GAUGE, "reeve_file_bytes", "Size of the file.", NULL), NULL), 1e12);
	metric_observe(
		metrics_get1(metrics_family(metrics, METRIC_HISTOGRAM, "reeve_wait_seconds", "Wait.", "queue"), "a\"\n\\"),
		0.25);
	metric_add(
		metrics_get1(metrics_family(metrics, METRIC_UNTYPED, "worker_jobs_processed", "Jobs.", "worker_id"), "w"), 3);
	struct buf b = {0};
	metrics_write(metrics, &b);
	FILE *p = popen("promtool check metrics 1>&2", "w");
	fwrite(b.data, 1, b.size, p);
	assert_int_equal(pclose(p), 0);
	buf_fini(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_counter_is_written_with_help_type_and_labels),
		TEST(a_gauge_is_collected_when_somebody_looks),
		TEST(a_histogram_is_cumulative_and_sums_up),
		TEST(series_above_the_limit_are_counted_together),
		TEST(threads_count_without_losing_any),
		TEST(promtool_finds_nothing_to_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
