/* abi.h - a worker as this library understands it, whatever version of worker.h it was compiled with.
 *
 * Members beyond a struct's `size` read as zero, members that we do not know yet are ignored. */
#pragma once
#include <reeve/worker.h>
#include <stdbool.h>

struct abi_worker {
	struct reeve_worker worker; /* a copy; capabilities: see below; name and version are never NULL */
	struct reeve_capability *capabilities; /* copies; name, version, summary, mode are never NULL */
	unsigned n;
};

enum { ABI_CAPABILITIES_MAX = 256 };

/* False: it cannot be used, and `why` says so in a sentence. */
bool abi_worker_init(struct abi_worker *out, const struct reeve_worker *worker, char *why, size_t why_size);
void abi_worker_fini(struct abi_worker *w);
const struct reeve_capability *abi_find(const struct abi_worker *w, const char *name); /* NULL: none */

/* What an outcome is called in an error without a code of its own: REEVE_E_INVALID is "invalid". */
const char *abi_outcome_word(int outcome);
bool abi_outcome_retryable(int outcome);
