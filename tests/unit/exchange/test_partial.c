#include "agent/exchange/partial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Longer than what fits the small buffers. */
#define MAX_HEAD 20000

static struct partial_store store;
static char text[MAX_HEAD + 100];

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i % 26);
    }
    return partial_store_init(&store, 8 * (UINT64_C(1) << 20), MAX_HEAD);
}

static int end(void **state)
{
    (void)state;
    int left = (int)(store.small.used + store.large.used);
    partial_store_fini(&store);
    return left;
}

static void test_grows_and_keeps(void **state)
{
    (void)state;
    struct partial *partial = NULL;
    size_t length = 0;
    assert_int_equal(partial_append(&store, &partial, text, 1), 1);
    partial->offset = 7;
    partial->peer_offset = 8;
    partial->time_ns = 9;
    for (length = 1; length + 997 <= MAX_HEAD; length += 997) {
        assert_int_equal(partial_append(&store, &partial, text + length, 997), 997);
        assert_int_equal(partial->length, length + 997);
    }
    assert_memory_equal(partial->bytes, text, length);
    assert_int_equal(partial->offset, 7);
    assert_int_equal(partial->peer_offset, 8);
    assert_int_equal(partial->time_ns, 9);
    assert_int_equal(store.small.used, 0); /* moved to a large one */
    assert_int_equal(store.large.used, 1);
    partial_drop(&store, &partial);
    assert_null(partial);
    partial_drop(&store, &partial);
}

/* At the bound, one byte past it, and with nothing of it left. */
static void test_bound(void **state)
{
    (void)state;
    struct partial *partial = NULL;
    assert_int_equal(partial_append(&store, &partial, text, MAX_HEAD), MAX_HEAD);
    uint64_t refused = store.large.refused;
    assert_int_equal(partial_append(&store, &partial, text, 1), 0);
    assert_int_equal(store.large.refused, refused + 1);
    assert_int_equal(partial->length, MAX_HEAD);
    partial_drop(&store, &partial);
    assert_int_equal(partial_append(&store, &partial, text, MAX_HEAD + 1), MAX_HEAD);
    partial_drop(&store, &partial);
    assert_int_equal(partial_append(&store, &partial, text, MAX_HEAD - 1), MAX_HEAD - 1);
    assert_int_equal(partial_append(&store, &partial, text, 10), 1);
    partial_drop(&store, &partial);
}

/* When no large buffer is left, a small one that wants to grow stays as it is. */
static void test_exhausted(void **state)
{
    (void)state;
    struct partial *large[1024] = {NULL};
    struct partial *small = NULL;
    size_t count = 0;
    while (count < 1024 && partial_append(&store, &large[count], text, MAX_HEAD) == MAX_HEAD) {
        count++;
    }
    assert_in_range(count, 100, 1023);
    assert_int_equal(partial_append(&store, &small, text, 4000), 4000);
    uint64_t refused = store.large.refused;
    assert_int_equal(partial_append(&store, &small, text + 4000, 4000), 0);
    assert_int_equal(store.large.refused, refused + 1);
    assert_int_equal(small->length, 4000);
    assert_memory_equal(small->bytes, text, 4000);
    partial_drop(&store, &large[0]);
    assert_int_equal(partial_append(&store, &small, text + 4000, 4000), 4000);
    assert_memory_equal(small->bytes, text, 8000);
    partial_drop(&store, &small);
    for (size_t i = 0; i < count; i++) {
        partial_drop(&store, &large[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grows_and_keeps, begin, end),
        cmocka_unit_test_setup_teardown(test_bound, begin, end),
        cmocka_unit_test_setup_teardown(test_exhausted, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
