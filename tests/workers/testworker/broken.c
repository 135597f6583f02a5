/* broken.c - modules that must be refused or given up with a clear error; -DBROKEN_... chooses the fault. */
#include <reeve/worker.h>

#include <unistd.h>

static int handle(void *state, struct reeve_job *job)
{
	return REEVE_OK;
}

static const struct reeve_capability noop = {
	.size = sizeof noop, .name = "broken.noop", .version = "1.0.0", .handle = handle};
static const struct reeve_capability *const capabilities[] = {&noop, NULL};

#if defined(BROKEN_START_FAILS)
static int broken_start(struct reeve_instance *self, void **state)
{
	reeve_log(self, REEVE_LOG_ERROR, "I refuse to start", NULL);
	return REEVE_E_INVALID;
}
#elif defined(BROKEN_START_HANGS)
static int broken_start(struct reeve_instance *self, void **state)
{
	for (;;)
		pause();
	return REEVE_OK;
}
#else
#define broken_start NULL
#endif

#if defined(BROKEN_STOP_HANGS)
static void broken_stop(void *state)
{
	for (;;)
		pause();
}
#else
#define broken_stop NULL
#endif

#if defined(BROKEN_ABI)
#define ABI (REEVE_ABI + 41)
#else
#define ABI REEVE_ABI
#endif

#if defined(BROKEN_NO_SYMBOL)
#define reeve_export not_the_symbol
extern const struct reeve_worker not_the_symbol;
#endif

REEVE_PUBLIC const struct reeve_worker reeve_export = {
	.size = sizeof(struct reeve_worker),
	.abi = ABI,
	.name = "broken",
	.version = "1.0.0",
	.capabilities = capabilities,
	.start = broken_start,
	.stop = broken_stop,
};
