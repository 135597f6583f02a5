/* target.h - where a callback goes, read from {"url": "https://...", "headers": {"Name": "value"}}. Any thread. */
#pragma once
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct target {
	struct buf url; /* NUL-terminated */
	struct bytes headers; /* of the text that was read: the JSON object, or empty */
	char host[256]; /* as it stands in the URL, lower case: "h", "[::1]" */
	uint64_t host_hash; /* of host and port, never 0: deliveries are limited by it */
};

/* E_INVALID with the place: "url: ...", "headers: ...". Outputs are written on success only. */
enum errcode target_read(struct bytes text, struct target *out, struct err *e);
void target_fini(struct target *t);
/* "Name: value" lines, one a call: start with *at = 0. The headers were read before. */
bool target_next_header(struct bytes headers, size_t *at, struct buf *line);
