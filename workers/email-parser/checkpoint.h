/* checkpoint.h - where a pass is, in a form that outlives a crash: the byte offset of the next message and the summary so far.
 *
 * A pass that goes on from a checkpoint ends with the same bytes as one that was never disturbed. Form (add members, never
 * change one: a checkpoint may be read by the next version):
 *
 *	{"v":1,"kind":0,"next":4711,"n":[messages,damaged,...],"dates":[..],"keywords":[3,0],"senders":[false,"a@b",3,..],...}
 */
#pragma once

#include "summary.h"

void checkpoint_write(struct buf *out, uint64_t next, const struct summary *s, const struct keywords *k);

/* Into an initialised summary of the same kind and keywords. False: it is not ours, nothing useful was read; *s is to be
 * thrown away. */
bool checkpoint_read(const char *json, size_t n, uint64_t *next, struct summary *s, const struct keywords *k);
