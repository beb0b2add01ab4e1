#include "exporters/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},             /* a continuation alone */
        {"\xc0\xaf", 0},         /* overlong */
        {"\xc1\xbf", 0},         /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc3", 0}, /* cut off */
        {"\xe2\x82", 0},
        {"\xe2\x82x", 0},
        {"\xf0\x9f\x98", 0},
        {"\xf0\x9f\x98x", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = strlen(cases[i].bytes);
        assert_int_equal(utf8_sequence(cases[i].bytes, length), cases[i].length);
    }
    assert_int_equal(utf8_sequence("a", 0), 0);
    assert_int_equal(utf8_sequence("\0", 1), 1);
}

/* Every code point that may be encoded is taken, and nothing else of that length. */
static void test_all_three_byte_sequences(void **state)
{
    (void)state;
    for (uint32_t code = 0x800; code < 0x10000; code++) {
        const char bytes[] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                              (char)(0x80 | (code & 0x3f))};
        bool surrogate = code >= 0xd800 && code < 0xe000;
        assert_int_equal(utf8_sequence(bytes, 3), surrogate ? 0 : 3);
    }
}

static void test_plain_run(void **state)
{
    (void)state;
    assert_int_equal(utf8_plain_run("", 0), 0);
    assert_int_equal(utf8_plain_run("abc", 3), 3);
    assert_int_equal(utf8_plain_run("ab\0c", 4), 2);
    assert_int_equal(utf8_plain_run("\xe2\x82\xac!\xff", 5), 4);
    assert_int_equal(utf8_plain_run("\xff", 1), 0);
}

/* Runs are looked at eight bytes at a time: each place of the eight, each byte there. */
static void test_plain_run_of_words(void **state)
{
    (void)state;
    for (size_t at = 0; at < 24; at++) {
        for (unsigned value = 0; value < 256; value++) {
            char bytes[25];
            memset(bytes, value % 2 == 0 ? 0x01 : 0x7f, sizeof(bytes));
            bytes[at] = (char)value;
            bool plain = value > 0 && value < 0x80;
            assert_int_equal(utf8_plain_run(bytes, sizeof(bytes)), plain ? sizeof(bytes) : at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_all_three_byte_sequences),
        cmocka_unit_test(test_plain_run),
        cmocka_unit_test(test_plain_run_of_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
