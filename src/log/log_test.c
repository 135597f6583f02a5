#include "log/log.h"
#include "log/output.h"
#include "log/pipe.h"

#include "base/mem.h"
#include "loop/loop.h"
#include "os/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[64], path[96];
static struct loop *loop;
static struct outputs *outputs;
static struct log_pipe *pipe_of;
static size_t lines_n, bytes_n, longest;
static char last_text[256];
static size_t stop_after;
static struct output_follower follower;

static void on_line(void *context, const struct output_line *line)
{
	lines_n++;
	bytes_n += line->text.size;
	longest = line->text.size > longest ? line->text.size : longest;
	snprintf(last_text, sizeof last_text, "%.*s", (int)line->text.size, line->text.data);
	if (lines_n == stop_after)
		loop_stop(loop);
}

static int set_up(void **state)
{
	lines_n = bytes_n = longest = stop_after = 0;
	strcpy(directory, "/tmp/reeve-log-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/fifo", directory);
	loop = loop_new();
	assert_int_equal(outputs_new(loop, directory, &outputs, NULL), E_OK);
	follower = (struct output_follower){.worker = "w", .line = on_line};
	output_follow(outputs, &follower);
	pipe_of = NULL;
	return 0;
}

static int tear_down(void **state)
{
	output_unfollow(&follower);
	output_unfollow(&follower);
	log_pipe_close(pipe_of);
	outputs_free(outputs);
	loop_free(loop);
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

/* Runs sh with its stdout in the FIFO, the loop until `lines` came; its exit status. */
static int printed(const char *script, size_t lines)
{
	assert_int_equal(log_pipe_open(outputs, "w", "w-1", OUTPUT_STDOUT, path, &pipe_of, NULL), E_OK);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDWR);
		dup2(fd, 1);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	stop_after = lines;
	loop_run(loop);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void count(void *context, const struct output_line *line)
{
	++*(unsigned *)context;
}

static void ten_megabytes_do_not_block_a_worker(void **state)
{
	assert_int_equal(printed("yes 0123456789012345678901234567890123456789 | head -n 250000; echo end", 250001), 0);
	assert_string_equal(last_text, "end");
	unsigned kept = 0;
	output_tail(outputs, "w", 1000000, count, &kept);
	assert_int_equal(kept, OUTPUT_LINES);
}

static void a_line_of_a_megabyte_is_cut_and_the_next_one_is_whole(void **state)
{
	assert_int_equal(printed("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after", 2), 0);
	assert_int_equal(longest, OUTPUT_LINE_MAX + strlen(OUTPUT_CUT));
	assert_string_equal(last_text, "after");
}

static void a_line_of_the_greatest_length_is_not_cut(void **state)
{
	assert_int_equal(printed("head -c 65536 /dev/zero | tr '\\0' x; echo; echo after", 2), 0);
	assert_int_equal(longest, OUTPUT_LINE_MAX);
}

static void what_was_printed_before_a_death_is_drained(void **state)
{
	assert_int_equal(log_pipe_open(outputs, "w", "w-1", OUTPUT_STDERR, path, &pipe_of, NULL), E_OK);
	int fd = open(path, O_RDWR);
	assert_int_equal(fd_write_all(fd, "one\ntwo \xff\nno end", 16), 0);
	close(fd);
	log_pipe_drain(pipe_of);
	assert_int_equal(lines_n, 3);
	char last[64];
	output_last(outputs, "w", "w-1", 2, last, sizeof last);
	assert_string_equal(last, "two ? | no end");
	output_last(outputs, "w", "w-1", 2, last, 8);
	assert_string_equal(last, "two ? |");
	output_last(outputs, "w", "w-2", 2, last, sizeof last);
	assert_string_equal(last, "");
}

/* Turns the loop until the pool has written everything. */
static void settle(void)
{
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	while (loop_uv(loop)->active_reqs.count)
		uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static size_t file_size(const char *name)
{
	struct stat st;
	char file[128];
	snprintf(file, sizeof file, "%s/%s", directory, name);
	return stat(file, &st) == 0 ? (size_t)st.st_size : 0;
}

static void lines_go_to_the_workers_file_which_is_rotated(void **state)
{
	static char text[60000];
	memset(text, 'y', sizeof text);
	for (int turn = 0; turn < 15; turn++) { /* 1.2 MB at a time, each written before the next */
		for (int i = 0; i < 20; i++)
			output_line(outputs, "w", "w-1", OUTPUT_LOG, (struct bytes){text, sizeof text});
		settle();
	}
	assert_true(file_size("w.log") > 0);
	assert_true(file_size("w.log.1") > 0);
	assert_true(file_size("w.log.1") <= OUTPUT_FILE_BYTES);
	assert_int_equal(file_size("w.log.2"), 0);
}

static void what_the_disk_cannot_take_is_left_out_and_counted(void **state)
{
	static char text[60000];
	memset(text, 'y', sizeof text);
	for (int i = 0; i < 100; i++) /* 6 MB within one turn */
		output_line(outputs, "w", "w-1", OUTPUT_LOG, (struct bytes){text, sizeof text});
	settle();
	output_line(outputs, "w", "w-1", OUTPUT_LOG, bytes_of("last"));
	settle();
	char command[256];
	snprintf(command, sizeof command,
		"grep -q '^... [0-9]* lines were left out' %s/w.log && grep -q ' w-1 log last$' %s/w.log", directory,
		directory);
	assert_int_equal(system(command), 0);
	assert_true(file_size("w.log") < OUTPUT_BEHIND_BYTES + 1000);
}

static void add(void *context, const struct output_line *line)
{
	strncat(context, line->text.data, line->text.size);
}

static void one_reader_sees_all_workers_in_the_order_of_time(void **state)
{
	char seen[64] = "";
	output_line(outputs, "w", "w-1", OUTPUT_STDOUT, bytes_of("a\nb\n"));
	output_line(outputs, "v", "v-1", OUTPUT_STDERR, bytes_of("c"));
	output_line(outputs, "w", "w-1", OUTPUT_STDOUT, bytes_of(""));
	assert_int_equal(lines_n, 3); /* of w only */
	output_tail(outputs, "w", 3, add, seen);
	assert_string_equal(seen, "ab");
	seen[0] = 0;
	output_tail(outputs, NULL, 10, add, seen);
	assert_int_equal(strlen(seen), 3);
	seen[0] = 0;
	output_forget(outputs, "w");
	output_tail(outputs, NULL, 10, add, seen);
	assert_string_equal(seen, "c");
	output_tail(outputs, "no such worker", 10, add, seen);
	assert_string_equal(seen, "c");
}

static void an_event_is_one_line(void **state)
{
	int ends[2];
	char line[8192] = "";
	assert_int_equal(pipe(ends), 0);
	log_set_fd(ends[1]);
	log_write(LOG_LEVEL_DEBUG, "not_shown", NULL);
	log_write(LOG_LEVEL_WARNING, "worker_failed", "worker=%s why=\"%s\"", "w", "a\nb");
	assert_true(read(ends[0], line, sizeof line - 1) > 0);
	assert_string_equal(line + strlen("2026-11-22T03:45:00.125Z"), " warning worker_failed worker=w why=\"a b\"\n");
	scoped(mem_free_at) char *much = mem_new(10000);
	memset(much, 'x', 9999);
	log_write(LOG_LEVEL_INFO, "long", "%s", much);
	memset(line, 0, sizeof line);
	assert_int_equal(read(ends[0], line, sizeof line - 1), 4095);
	assert_int_equal(line[4094], '\n');
	log_set_fd(2);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(ten_megabytes_do_not_block_a_worker),
		CASE(a_line_of_a_megabyte_is_cut_and_the_next_one_is_whole),
		CASE(a_line_of_the_greatest_length_is_not_cut),
		CASE(what_was_printed_before_a_death_is_drained),
		CASE(lines_go_to_the_workers_file_which_is_rotated),
		CASE(what_the_disk_cannot_take_is_left_out_and_counted),
		CASE(one_reader_sees_all_workers_in_the_order_of_time),
		CASE(an_event_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
