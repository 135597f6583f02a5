/* describe.h - a worker and its capabilities as JSON: for `--describe`, and for HELLO, which says the same. */
#pragma once
#include "abi.h"
#include "text.h"

/* Adds {"name":…,"version":…,"summary":…,"mode":…,"flags":n,"serial":bool,…,"tags":[…],"input_schema":{…}|null,…}.
 * A schema or error list that is not JSON is left out (null). */
void describe_capability(struct text *out, const struct reeve_capability *c);
void describe_capabilities(struct text *out, const struct abi_worker *w); /* an array of them */
/* {"name":…,"version":…,"platform":…,"abi":…,"config_schema":…,"capabilities":[…]} */
void describe_worker(struct text *out, const struct abi_worker *w);
