/* reeve-engine: reads its options and settings, opens everything, runs the loop, closes everything. */
#include "daemon/daemon.h"

#include "base/mem.h"
#include "wire/keeper.h"

#include <reeve/version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int code, const struct err *e)
{
	fprintf(stderr, "reeve-engine: %s\n", e->text);
	return code;
}

static int print_schema(void)
{
	scoped(mem_free_at) char *text = settings_schema();
	puts(text);
	return EXIT_SUCCESS;
}

/* Without a keeper (tests, a debugger) the signals come to the engine itself. */
static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;
	if (number == SIGHUP)
		workers_reload(d);
	else
		stop_begin(d, KEEPER_EXIT_DONE);
}

static void catch_signals(struct daemon *d, uv_signal_t handles[3])
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uv_signal_init(loop_uv(d->loop), &handles[i]);
		handles[i].data = d;
		uv_signal_start(&handles[i], on_signal, numbers[i]);
		uv_unref((uv_handle_t *)&handles[i]);
	}
}

static void release_signals(uv_signal_t handles[3])
{
	for (int i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&handles[i], NULL);
}

static int run(struct daemon *d)
{
	struct err e;
	uv_signal_t handles[3];
	signal(SIGPIPE, SIG_IGN);
	umask(077); /* whatever is made in the data directory is its user's alone */
	enum errcode code = daemon_open(d, &e);
	if (code) {
		/* That another daemon is there, or that the place is wrong, does not change by trying again. */
		return refuse(
			code == E_CONFLICT || code == E_INVALID || code == E_TOO_LARGE ? KEEPER_EXIT_CONFIG : EXIT_FAILURE, &e);
	}
	catch_signals(d, handles);
	clock_want_turn(d);
	clock_tick(d);
	loop_run(d->loop);
	release_signals(handles);
	log_write(LOG_LEVEL_INFO, "stopped", NULL);
	int exit_code = d->exit_code;
	daemon_close(d);
	return exit_code;
}

/* A tree that lacks a member, because there was no memory for it, would be written down as if it were whole. */
static void *json_memory(size_t size)
{
	return mem_resize(NULL, size);
}

int main(int argc, char **argv)
{
	struct daemon d = {0};
	struct err e;
	json_set_alloc_funcs(json_memory, free);
	if (options_read(argc, argv, &d.options, &e) != E_OK)
		return refuse(KEEPER_EXIT_USAGE, &e);
	if (d.options.help) {
		options_help();
		return EXIT_SUCCESS;
	}
	if (d.options.version) {
		puts("reeve-engine " REEVE_VERSION);
		return EXIT_SUCCESS;
	}
	if (d.options.schema)
		return print_schema();
	if (settings_read(&d.options, &d.settings, &e) != E_OK)
		return refuse(d.options.check || d.options.where ? KEEPER_EXIT_USAGE : KEEPER_EXIT_CONFIG, &e);
	int exit_code = EXIT_SUCCESS;
	if (d.options.where)
		printf("%s\n%s\n", d.settings->data_dir, d.settings->socket);
	else if (d.options.restore)
		exit_code = offline_restore(&d);
	else if (d.options.doctor)
		exit_code = offline_doctor(&d);
	else if (!d.options.check)
		return run(&d);
	else if (check_workers(&d, &e) != E_OK)
		exit_code = refuse(KEEPER_EXIT_USAGE, &e);
	settings_free(d.settings);
	return exit_code;
}
