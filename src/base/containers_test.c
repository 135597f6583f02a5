/* containers_test.c - idmap and heap against the plainest model there is. */
#include "base/heap.h"
#include "base/idmap.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define N 4096

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void an_idmap_agrees_with_an_array_over_random_operations(void **state)
{
	struct idmap m = {0};
	static int present[N], values[N];
	uint64_t seed = 42;
	size_t n = 0;
	for (int i = 0; i < 200000; i++) {
		uint64_t id = next_random(&seed) % (N - 1) + 1;
		bool put = next_random(&seed) % 16 < (i < 100000 ? 10 : 6);
		if (put) {
			idmap_put(&m, id << 12, &values[id]);
			n += !present[id];
		} else {
			assert_ptr_equal(idmap_remove(&m, id << 12), present[id] ? &values[id] : NULL);
			n -= present[id];
		}
		present[id] = put;
		assert_int_equal(m.n, n);
	}
	for (uint64_t id = 1; id < N; id++)
		assert_ptr_equal(idmap_get(&m, id << 12), present[id] ? &values[id] : NULL);
	size_t at = 0, seen = 0;
	while (idmap_next(&m, &at))
		seen++;
	assert_int_equal(seen, n);
	idmap_fini(&m);
}

static void an_idmap_gives_memory_back_after_a_burst(void **state)
{
	struct idmap m = {0};
	int value;
	for (uint64_t id = 1; id <= 100000; id++)
		idmap_put(&m, id, &value);
	for (uint64_t id = 1; id <= 100000; id++)
		assert_ptr_equal(idmap_remove(&m, id), &value);
	assert_in_range(m.room, 0, 64);
	assert_null(idmap_get(&m, 7));
	idmap_fini(&m);
}

static void a_heap_gives_its_members_in_order_whatever_was_moved_or_removed(void **state)
{
	struct heap h = {0};
	static struct heap_node nodes[N];
	uint64_t seed = 7;
	for (int i = 0; i < 20000; i++) {
		struct heap_node *node = &nodes[next_random(&seed) % N];
		if (next_random(&seed) % 4)
			heap_put(&h, node, (int64_t)(next_random(&seed) % 1000), (uint64_t)i);
		else
			heap_remove(&h, node);
	}
	size_t in = 0, out = 0;
	for (int i = 0; i < N; i++)
		in += heap_has(&nodes[i]);
	assert_int_equal(in, h.n);
	struct heap_node last = {.key = -1};
	for (struct heap_node *node; (node = heap_first(&h)); out++) {
		assert_true(node->key > last.key || (node->key == last.key && node->tie > last.tie));
		last = *node;
		heap_remove(&h, node);
	}
	assert_int_equal(in, out);
	heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idmap_agrees_with_an_array_over_random_operations),
		cmocka_unit_test(an_idmap_gives_memory_back_after_a_burst),
		cmocka_unit_test(a_heap_gives_its_members_in_order_whatever_was_moved_or_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
