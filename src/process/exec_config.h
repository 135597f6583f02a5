/* exec_config.h - the `exec` capabilities of a worker as the file that workers/exec reads. */
#pragma once
#include "base/bytes.h"
#include "worker/worker.h"

/* {"exec":[{"capability","version","summary","command":[…],"binary"}]} */
void exec_config_format(const struct worker *w, struct buf *out);
