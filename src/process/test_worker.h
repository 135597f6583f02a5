/* test_worker.h - for tests: the test program is its own worker, when started as `PROGRAM worker HABIT`.
 *
 * Habits: "good"; "die" (exit 3 before HELLO), "slow" (never READY), "stubborn" (ignores DRAIN and SIGTERM, and has a grandchild in
 * a session of its own). It has one capability, test.do: input "ok" is answered, "crash" ends it by SIGSEGV, "later" is
 * held and not started (PONG says unhealthy when it is there), everything else is started and held until DRAIN. When the connection ends it connects again, for ever. */
#pragma once

void test_worker_be(int argc, char **argv); /* does not return when this process is a worker */
