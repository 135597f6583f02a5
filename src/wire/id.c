#include "wire/id.h"

#define EPOCH_MS	 1577836800000LL /* 2020-01-01 */
#define NODE_BITS	 10
#define COUNTER_BITS 12
#define TIME_MAX	 ((1ULL << 41) - 1)

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

uint64_t id_next(struct id_source *source, int64_t now_ms)
{
	uint64_t time = now_ms > EPOCH_MS ? (uint64_t)(now_ms - EPOCH_MS) : 0;
	uint64_t counter = 0;
	uint64_t last_time = source->last >> (NODE_BITS + COUNTER_BITS);

	if (time > TIME_MAX)
		time = TIME_MAX;
	/* When the clock stands or went back, or 4096 ids were made within the millisecond, borrow from the time to come. */
	if (time <= last_time) {
		time = last_time;
		counter = (source->last & ((1u << COUNTER_BITS) - 1)) + 1;
		if (counter >> COUNTER_BITS) {
			time++;
			counter = 0;
		}
	}
	source->last = time << (NODE_BITS + COUNTER_BITS) | (uint64_t)(source->node & 1023) << COUNTER_BITS | counter;
	return source->last;
}

int64_t id_time_ms(uint64_t id)
{
	return (int64_t)(id >> (NODE_BITS + COUNTER_BITS)) + EPOCH_MS;
}

void id_format(uint64_t id, char text[ID_TEXT_SIZE])
{
	for (int i = ID_TEXT_SIZE - 2; i >= 0; i--) {
		text[i] = alphabet[id & 31];
		id >>= 5;
	}
	text[ID_TEXT_SIZE - 1] = 0;
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (c == 'i' || c == 'l')
		return 1;
	if (c == 'o')
		return 0;
	for (int i = 0; i < 32; i++)
		if (alphabet[i] == c)
			return i;
	return -1;
}

int id_parse(const char *text, size_t size, uint64_t *id)
{
	uint64_t value = 0;

	if (size != ID_TEXT_SIZE - 1)
		return -1;
	for (size_t i = 0; i < size; i++) {
		int d = digit(text[i]);
		if (d < 0 || (i == 0 && d > 7)) /* 13 digits are 65 bits; the first may use three, so that 63 remain */
			return -1;
		value = value << 5 | (uint64_t)d;
	}
	if (value == 0 || value >> 63)
		return -1;
	*id = value;
	return 0;
}
