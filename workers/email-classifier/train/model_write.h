/* model_write.h - the file that model.h describes. */
#pragma once

#include "fit.h"

/* `a` and `b` are the calibration of each function. Returns the size in bytes; ends the program when it cannot be written. */
size_t model_write(
	const char *path, const struct fit *f, char *const *labels, int labels_n, const double *a, const double *b);
