/* row.c - what STORE_CLAIM keeps of a claim: who holds the job under which fence, and how long its lease is.
 *
 *   byte 0  version (1)      1-8  fence, low byte first      9-12  lease in milliseconds      13-  the client's name
 *
 * Not until when: an engine that starts gives every holder one whole lease, which is at least as long as it was promised. */
#include "claim/parts.h"

enum { VERSION = 1, NAME_AT = 13 };

static void put_number(char *to, uint64_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (char)(n >> 8 * i);
}

static uint64_t number(const char *from, int bytes)
{
	uint64_t n = 0;
	for (int i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)from[i] << 8 * i;
	return n;
}

void row_put(struct store_batch *b, const struct claim *k)
{
	char head[NAME_AT + CLAIM_CLIENT_SIZE];
	size_t n = strlen(k->client->name);
	head[0] = VERSION;
	put_number(head + 1, k->fence, 8);
	put_number(head + 9, (uint64_t)k->lease_ms, 4);
	memcpy(head + NAME_AT, k->client->name, n);
	store_batch_put(
		b, STORE_CLAIM, (struct store_key){.id = k->id}, (struct bytes){head, NAME_AT + n}, (struct bytes){0});
}

bool row_read(struct bytes head, uint64_t *fence, int64_t *lease_ms, char client[CLAIM_CLIENT_SIZE])
{
	if (head.size <= NAME_AT || head.size >= NAME_AT + CLAIM_CLIENT_SIZE || head.data[0] != VERSION)
		return false;
	*fence = number(head.data + 1, 8);
	*lease_ms = (int64_t)number(head.data + 9, 4);
	memcpy(client, head.data + NAME_AT, head.size - NAME_AT);
	client[head.size - NAME_AT] = 0;
	return true;
}
