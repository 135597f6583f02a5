/* test_keeper.h - for tests: runs a real reeved whose engine hands its end of the channel to the test.
 *
 * The test program is its own engine: reeved starts it again (REEVE_ENGINE), it passes the channel's descriptor to the test over
 * TEST_ENGINE_SOCKET, and then only waits to be told how to end, or for the keeper's end. Call test_keeper_be_engine() first in
 * main(). */
#pragma once
#include "wire/keeper.h"

#include <sys/types.h>

struct test_keeper {
	char data[64]; /* data directory, made by test_keeper_init */
	int listener;
	pid_t pid; /* of reeved */
	int channel; /* the engine's end; -1: none */
	int engine; /* a socket to the engine's process: see test_keeper_end_engine */
	pid_t engine_pid;
};

void test_keeper_be_engine(void); /* does not return when this process is an engine */
void test_keeper_init(struct test_keeper *t);
void test_keeper_fini(struct test_keeper *t); /* ends reeved and all its children, removes the data directory */
void test_keeper_start(struct test_keeper *t, const char *reeved); /* and waits for its engine */
pid_t test_keeper_run(struct test_keeper *t, const char *reeved); /* does not wait */
void test_keeper_accept(struct test_keeper *t); /* the next engine */
enum { TEST_KEEPER_LEAVES = 1000 }; /* the channel is closed; then it waits for another word, and exits with 0 */
void test_keeper_end_engine(struct test_keeper *t, int how); /* exit status 0-255, or -signal */
int test_keeper_wait(struct test_keeper *t); /* reeved's wait status */

void test_keeper_send(struct test_keeper *t, const void *message, size_t size);
/* sh -c script, with the log FIFOs out and err (NULL: none) */
void test_keeper_spawn(struct test_keeper *t, uint32_t slot, const char *instance, const char *script, const char *out);
void test_keeper_order(struct test_keeper *t, uint32_t slot, uint32_t type);
void test_keeper_signal(struct test_keeper *t, uint32_t slot, int signal, uint32_t group);
struct keeper_event test_keeper_event(struct test_keeper *t, uint32_t type); /* the next event must be of this type */
