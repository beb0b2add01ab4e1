#include "agent/config/value.h"

#include "agent/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool read_into(const struct schema_key *key, const char *text, void *field)
{
    char problem[VALUE_PROBLEM_SIZE];
    struct value_scalar scalar = {.text = text, .length = strlen(text)};
    return value_read(key, &scalar, field, problem);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct schema_key key = {
        .name = "size", .kind = SCHEMA_BYTES, .minimum = "0", .maximum = "18446744073709551615"};
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"007", 7},
        {"1KiB", 1024},
        {"1Ki", 1024},
        {"32MiB", 33554432},
        {"32Mi", 33554432},
        {"2GiB", UINT64_C(2) << 30},
        {"2Gi", UINT64_C(2) << 30},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t bytes = 1;
        assert_true(read_into(&key, cases[i].text, &bytes));
        assert_true(bytes == cases[i].bytes);
    }
    static const char *const bad[] = {"KiB",   "1kb", "1K",   "1M",   "+1",
                                      "1 KiB", "1e3", "0x10", "1_000"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t bytes = 99;
        assert_false(read_into(&key, bad[i], &bytes));
        assert_true(bytes == 99); /* untouched */
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct schema_key seconds = {
        .name = "s", .kind = SCHEMA_SECONDS, .minimum = "0s", .maximum = "1000000h"};
    static const struct schema_key millis = {
        .name = "ms", .kind = SCHEMA_MILLIS, .minimum = "0s", .maximum = "1000h"};
    unsigned field = 0;
    assert_true(read_into(&seconds, "5m", &field));
    assert_int_equal(field, 300);
    assert_true(read_into(&seconds, "3000ms", &field));
    assert_int_equal(field, 3);
    assert_true(read_into(&seconds, "2h", &field));
    assert_int_equal(field, 7200);
    assert_false(read_into(&seconds, "1d", &field));
    assert_false(read_into(&seconds, "1", &field));
    assert_false(read_into(&seconds, "1h30m", &field));
    assert_int_equal(field, 7200);
    assert_true(read_into(&millis, "100ms", &field));
    assert_int_equal(field, 100);
    assert_true(read_into(&millis, "1m", &field));
    assert_int_equal(field, 60000);
}

static void test_text_replaces_text(void **state)
{
    (void)state;
    static const struct schema_key key = {.name = "t", .kind = SCHEMA_TEXT, .max_length = 5};
    char *text = NULL;
    assert_true(read_into(&key, "one", &text));
    assert_true(read_into(&key, "other", &text)); /* a leak would be seen by the sanitizer */
    assert_string_equal(text, "other");
    assert_false(read_into(&key, "longer", &text));
    assert_string_equal(text, "other");
    value_release(SCHEMA_TEXT, &text);
}

static void test_null(void **state)
{
    (void)state;
    assert_true(value_is_null(&(struct value_scalar){"", 0, false}));
    assert_true(value_is_null(&(struct value_scalar){"~", 1, false}));
    assert_true(value_is_null(&(struct value_scalar){"null", 4, false}));
    assert_false(value_is_null(&(struct value_scalar){"", 0, true}));
    assert_false(value_is_null(&(struct value_scalar){"null", 4, true}));
    assert_false(value_is_null(&(struct value_scalar){"nullify", 7, false}));
}

static void test_quote(void **state)
{
    (void)state;
    char out[16];
    value_quote("plain \"text\"", 12, out, sizeof(out));
    assert_string_equal(out, "plain \"text\"");
    value_quote("a\0\x1b\x7f", 4, out, sizeof(out));
    assert_string_equal(out, "a\\x00\\x1b...");
    value_quote("123456789012", 12, out, sizeof(out));
    assert_string_equal(out, "123456789012");
    value_quote("1234567890123", 13, out, sizeof(out));
    assert_string_equal(out, "123456789012...");
    value_quote("\xff\xff\xff\xff", 4, out, sizeof(out));
    assert_string_equal(out, "\\xff\\xff\\xff...");
}

static void test_noun(void **state)
{
    (void)state;
    static const struct schema_key one = {.kind = SCHEMA_CHOICE, .choices = "x"};
    static const struct schema_key two = {.kind = SCHEMA_BOOL, .choices = "false|true"};
    static const struct schema_key four = {.kind = SCHEMA_CHOICE_TEXT, .choices = "a|b|c|d"};
    static const struct schema_key size = {.kind = SCHEMA_BYTES};
    char noun[VALUE_NOUN_SIZE];
    value_noun(&one, noun, sizeof(noun));
    assert_string_equal(noun, "x");
    value_noun(&two, noun, sizeof(noun));
    assert_string_equal(noun, "false or true");
    value_noun(&four, noun, sizeof(noun));
    assert_string_equal(noun, "a, b, c or d");
    value_noun(&size, noun, sizeof(noun));
    assert_string_equal(noun, "a size such as 32MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_text_replaces_text),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_noun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
