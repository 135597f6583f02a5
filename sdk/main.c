/* main.c - reeve_main: a worker as a program. Serves the daemon, or explains and tries itself without one. */
#include "abi.h"
#include "describe.h"
#include "link.h"
#include "run.h"
#include "wire/host.h"

#include <errno.h>
#include <getopt.h>
#include <reeve/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: %s                        serve the daemon that started this program\n"
	"       %s --describe             what this worker can do, as JSON\n"
	"       %s --run CAPABILITY       run one job without a daemon; stdin is its input\n"
	"\n"
	"  --input FILE       the input is this file (a blob); stdin, if any, is then the JSON that goes with it\n"
	"  --output FILE      the result goes there, not to stdout\n"
	"  --items FILE       emitted items go there, not to stdout\n"
	"  --config JSON      the worker's configuration; @FILE reads it from a file\n"
	"  --checkpoint FILE  go on from the checkpoint in it, and keep new ones there\n"
	"  --blobs DIR        keep blobs there\n"
	"  --repeat N         run it N times and say how fast that was\n"
	"  --version, --help\n"
	"\n"
	"Exit status: 0 it went well, 1 the job failed (the error is JSON on stderr), 2 wrong usage.\n";

enum { DESCRIBE = 256, RUN, INPUT, OUTPUT, ITEMS, CONFIG, CHECKPOINT, BLOBS, REPEAT, VERSION, HELP };

static const struct option options[] = {
	{"describe", no_argument, NULL, DESCRIBE},
	{"run", required_argument, NULL, RUN},
	{"input", required_argument, NULL, INPUT},
	{"output", required_argument, NULL, OUTPUT},
	{"items", required_argument, NULL, ITEMS},
	{"config", required_argument, NULL, CONFIG},
	{"checkpoint", required_argument, NULL, CHECKPOINT},
	{"blobs", required_argument, NULL, BLOBS},
	{"repeat", required_argument, NULL, REPEAT},
	{"version", no_argument, NULL, VERSION},
	{"help", no_argument, NULL, HELP},
	{0},
};

static int print_description(const struct abi_worker *w)
{
	struct text out = {0};
	int code = 1;

	describe_worker(&out, w);
	text_put(&out, "\n");
	if (!out.failed && fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0)
		code = 0;
	text_fini(&out);
	return code;
}

static bool parse_repeat(const char *text, long *n)
{
	char *end;
	errno = 0;
	*n = strtol(text, &end, 10);
	if (errno || *end || *n < 1) {
		fprintf(stderr, "--repeat %s: a number from 1 is needed\n", text);
		return false;
	}
	return true;
}

/* What the command line asks for: an option's number, or -1 when it is wrong (said on stderr). */
static int parse(int argc, char **argv, struct run_options *run)
{
	int what = 0, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		const char **texts[] = {&run->input, &run->output, &run->items, &run->config, &run->checkpoint, &run->blobs};
		if (c == '?')
			return -1;
		if (c == DESCRIBE || c == VERSION || c == HELP || c == RUN)
			what = c;
		if (c == RUN)
			run->capability = optarg;
		if (c >= INPUT && c <= BLOBS)
			*texts[c - INPUT] = optarg;
		if (c == REPEAT && !parse_repeat(optarg, &run->repeat))
			return -1;
	}
	if (optind < argc) {
		fprintf(stderr, "%s: I do not understand \"%s\"\n", argv[0], argv[optind]);
		return -1;
	}
	return what;
}

static int do_it(int what, const struct abi_worker *w, const struct run_options *run, const char *program)
{
	switch (what) {
	case DESCRIBE:
		return print_description(w);
	case RUN:
		return run_capability(w, run);
	case VERSION:
		printf("%s %s (libreeve %s)\n", w->worker.name, w->worker.version, reeve_version());
		return 0;
	case HELP:
		printf(usage, program, program, program);
		return 0;
	default:
		if (getenv("REEVE_LINK"))
			return link_serve(w);
		fprintf(stderr, "%s is a worker for Reeve: the daemon starts it. To try it, see --help.\n", program);
		return 2;
	}
}

REEVE_PUBLIC int reeve_main(int argc, char **argv, const struct reeve_worker *worker)
{
	struct run_options run = {.repeat = 1};
	struct abi_worker w;
	char why[256];
	int code = 2, what = parse(argc, argv, &run);

	if (what < 0) {
		fprintf(stderr, usage, argv[0], argv[0], argv[0]);
		return 2;
	}
	if (abi_worker_init(&w, worker, why, sizeof why))
		code = do_it(what, &w, &run, argv[0]);
	else
		fprintf(stderr, "%s: %s\n", argv[0], why);
	abi_worker_fini(&w);
	return code;
}
