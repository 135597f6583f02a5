#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 32

static bool shown;

static bool due(void)
{
	static int64_t last;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (shown && ms - last < 80)
		return false;
	last = ms;
	return true;
}

void progress_show(const char *label, uint64_t done, uint64_t total, const char *note)
{
	static int terminal = -1;
	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	if (!terminal || !due())
		return;
	char bar[BAR_WIDTH + 1];
	uint64_t filled = total ? (done < total ? done : total) * BAR_WIDTH / total : 0;
	for (uint64_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = 0;
	if (total)
		fprintf(stderr, "\r\033[K%-10s [%s] %3" PRIu64 " %%  %s", label, bar, done * 100 / total, note ? note : "");
	else
		fprintf(stderr, "\r\033[K%-10s %" PRIu64 "  %s", label, done, note ? note : "");
	fflush(stderr);
	shown = true;
}

void progress_end(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
