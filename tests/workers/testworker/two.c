/* two.c - two workers in one shared object, chosen by entry_point: an object, and a function that gives one. */
#include <reeve/worker.h>

static int one(void *state, struct reeve_job *job)
{
	return reeve_reply(job, "\"one\"", 5);
}

static int two(void *state, struct reeve_job *job)
{
	return reeve_reply(job, "\"two\"", 5);
}

static const struct reeve_capability c_one = {
	.size = sizeof c_one, .name = "two.one", .version = "1.0.0", .handle = one};
static const struct reeve_capability c_two = {
	.size = sizeof c_two, .name = "two.two", .version = "1.0.0", .handle = two};
static const struct reeve_capability *const first_list[] = {&c_one, NULL};
static const struct reeve_capability *const second_list[] = {&c_two, NULL};

REEVE_PUBLIC extern const struct reeve_worker first_worker;
REEVE_PUBLIC const struct reeve_worker *CreateDataProcessor(void);

const struct reeve_worker first_worker = {.size = sizeof(struct reeve_worker),
	.abi = REEVE_ABI,
	.name = "first",
	.version = "1.0.0",
	.capabilities = first_list};

const struct reeve_worker *CreateDataProcessor(void)
{
	static const struct reeve_worker second = {.size = sizeof(struct reeve_worker),
		.abi = REEVE_ABI,
		.name = "second",
		.version = "1.0.0",
		.capabilities = second_list};
	return &second;
}
