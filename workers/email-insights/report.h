/* report.h - a tally as the result of the pipeline, under the names that the original used. */
#pragma once

#include <jansson.h>
#include "tally.h"

/* The result as JSON text with sorted keys, to be freed; NULL without memory. `parse` is the parser's own result, or NULL; it
 * stands in the answer as it is. */
char *report_write(const struct tally *t, json_t *parse);
