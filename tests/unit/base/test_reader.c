#include "agent/base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_network_order(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0xfe, 0xdc, 0x80, 0x00, 0x00, 0x01, 0xaa};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_be16(&reader), 0xfedc);
    assert_int_equal(reader_be32(&reader), 0x80000001u);
    assert_int_equal(reader.left, 1);
    assert_false(reader.failed);
    assert_int_equal(reader_u8(&reader), 0xaa);
    assert_false(reader.failed); /* all of it and no more */
}

static void test_failure_yields_zero_and_stays(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    assert_int_equal(reader_be32(&reader), 0);
    assert_true(reader.failed);
    /* What was left is not handed out in smaller pieces. */
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_be16(&reader), 0);
    assert_null(reader_bytes(&reader, 1));
    assert_true(reader.failed);
}

static void test_nothing_to_read(void **state)
{
    (void)state;
    struct reader reader = reader_over(NULL, 0);
    reader_skip(&reader, 0);
    assert_false(reader.failed);
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.failed);
}

static void test_bytes_and_skip(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    reader_skip(&reader, 2);
    assert_ptr_equal(reader_bytes(&reader, 2), bytes + 2);
    assert_int_equal(reader.left, 0);
    assert_false(reader.failed);
    reader_skip(&reader, 1);
    assert_true(reader.failed);
}

static void test_huge_lengths_do_not_wrap(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    reader_skip(&reader, 1);
    assert_null(reader_bytes(&reader, SIZE_MAX));
    assert_true(reader.failed);
}

static void test_sub_reader_is_bounded(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    struct reader inner = reader_sub(&reader, 2);
    assert_int_equal(reader_be16(&inner), 0x0102);
    assert_int_equal(reader_u8(&inner), 0);
    assert_true(inner.failed);
    /* The outer one goes on behind the inner one, whatever happened there. */
    assert_false(reader.failed);
    assert_int_equal(reader_be16(&reader), 0x0304);
}

static void test_sub_reader_that_does_not_fit(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2};
    struct reader reader = reader_over(bytes, sizeof(bytes));
    struct reader inner = reader_sub(&reader, 3);
    assert_true(inner.failed);
    assert_true(reader.failed);
    assert_int_equal(reader_u8(&inner), 0);
}

static void test_every_length_against_the_end(void **state)
{
    (void)state;
    for (size_t length = 0; length < 12; length++) {
        uint8_t *bytes = malloc(length + 1); /* a sanitizer guards the end */
        assert_non_null(bytes);
        memset(bytes, 0xff, length);
        struct reader reader = reader_over(bytes, length);
        (void)reader_be32(&reader);
        (void)reader_be32(&reader);
        (void)reader_be16(&reader);
        assert_int_equal(reader.failed, length < 10);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network_order),
        cmocka_unit_test(test_failure_yields_zero_and_stays),
        cmocka_unit_test(test_nothing_to_read),
        cmocka_unit_test(test_bytes_and_skip),
        cmocka_unit_test(test_huge_lengths_do_not_wrap),
        cmocka_unit_test(test_sub_reader_is_bounded),
        cmocka_unit_test(test_sub_reader_that_does_not_fit),
        cmocka_unit_test(test_every_length_against_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
