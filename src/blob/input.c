#include "blob/blob.h"

#include "base/json_span.h"

enum { INPUT_MEMBERS_MAX = 64 }; /* an object with more names no blob */

bool blob_of_input(struct bytes input, char name[BLOB_NAME_SIZE], bool *only)
{
	/* Most inputs name no blob: one search for the word settles that. */
	if (!input.size || !memmem(input.data, input.size, "\"blob\"", 6))
		return false;
	struct json_member members[INPUT_MEMBERS_MAX];
	size_t n;
	if (json_span_members(input, members, INPUT_MEMBERS_MAX, &n, NULL) != E_OK)
		return false;
	const struct bytes *blob = json_span_find(members, n, "blob");
	if (!blob || blob->size < 2 || blob->data[0] != '"' || !blob_name_valid(blob->data + 1, blob->size - 2))
		return false;
	memcpy(name, blob->data + 1, blob->size - 2);
	name[blob->size - 2] = 0;
	*only = n == 1;
	return true;
}
