/* reserve.h - space that is kept for the moment when the disk is full: a file of zeros that is removed then, so that a program that
 * must write a little to begin (a lock, an epoch) can. Blocking. */
#pragma once
#include "base/err.h"

#include <stdbool.h>

enum { RESERVE_BYTES = 512 << 10 };

/* Less is left on the disk than it takes to begin. False when nobody can say. */
bool reserve_needed(const char *directory);
void reserve_give_up(const char *directory); /* it may be gone already */
/* E_NO_SPACE: it would take the last of it. Fine when it is there. */
enum errcode reserve_make(const char *directory, struct err *e);
