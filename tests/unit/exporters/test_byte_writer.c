#include "exporters/byte_writer.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(struct byte_writer *writer, const char *expected)
{
    assert_false(writer->failed);
    assert_int_equal(writer->length, strlen(expected));
    if (writer->length > 0) {
        assert_memory_equal(writer->data, expected, writer->length);
    }
    byte_writer_reset(writer);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-17, "-17"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {0.001, "0.001"},
        {0.0025, "0.0025"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e21, "1e+21"},
        {7.5, "7.5"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    struct byte_writer writer;
    byte_writer_init(&writer);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        byte_writer_number(&writer, cases[i].value);
        expect(&writer, cases[i].text);
    }
    byte_writer_fini(&writer);
}

/* Any double reads back as itself. */
static void test_numbers_read_back(void **state)
{
    (void)state;
    static const double values[] = {DBL_MIN, DBL_MAX, DBL_EPSILON, DBL_TRUE_MIN, M_PI, 1.0 / 3};
    struct byte_writer writer;
    byte_writer_init(&writer);
    uint64_t random = 88172645463325252;
    for (int i = 0; i < 2000; i++) {
        double value;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(&value, &random, sizeof(value));
        value = i < 6 ? values[i] : value;
        if (!isfinite(value)) {
            continue;
        }
        byte_writer_number(&writer, value);
        byte_writer_byte(&writer, '\0');
        assert_true(writer.length <= BYTE_WRITER_NUMBER_SIZE);
        assert_true(strtod(writer.data, NULL) == value);
        byte_writer_reset(&writer);
    }
    byte_writer_fini(&writer);
}

static void test_unsigned(void **state)
{
    (void)state;
    struct byte_writer writer;
    byte_writer_init(&writer);
    byte_writer_unsigned(&writer, 0);
    expect(&writer, "0");
    byte_writer_unsigned(&writer, 1234567890);
    expect(&writer, "1234567890");
    byte_writer_unsigned(&writer, UINT64_MAX);
    expect(&writer, "18446744073709551615");
    byte_writer_fini(&writer);
}

static void test_varint(void **state)
{
    (void)state;
    struct byte_writer writer;
    byte_writer_init(&writer);
    byte_writer_varint(&writer, 1);
    expect(&writer, "\x01");
    byte_writer_varint(&writer, 127);
    expect(&writer, "\x7f");
    byte_writer_varint(&writer, 128);
    expect(&writer, "\x80\x01");
    byte_writer_varint(&writer, 300);
    expect(&writer, "\xac\x02");
    byte_writer_varint(&writer, UINT64_MAX);
    expect(&writer, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    byte_writer_fini(&writer);
}

static void test_growth_keeps_bytes(void **state)
{
    (void)state;
    struct byte_writer writer;
    byte_writer_init(&writer);
    for (unsigned i = 0; i < 100000; i++) {
        byte_writer_append(&writer, &i, sizeof(i));
    }
    assert_false(writer.failed);
    assert_int_equal(writer.length, 100000 * sizeof(unsigned));
    for (unsigned i = 0; i < 100000; i++) {
        unsigned kept;
        memcpy(&kept, writer.data + i * sizeof(kept), sizeof(kept));
        assert_int_equal(kept, i);
    }
    byte_writer_fini(&writer);
    assert_null(writer.data);
}

/* A length that cannot be: the writer fails once and stays quiet. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct byte_writer writer;
    byte_writer_init(&writer);
    byte_writer_string(&writer, "kept");
    assert_null(byte_writer_reserve(&writer, SIZE_MAX / 2 + 2));
    assert_true(writer.failed);
    byte_writer_string(&writer, "dropped");
    assert_int_equal(writer.length, 4);
    byte_writer_reset(&writer);
    byte_writer_string(&writer, "again");
    expect(&writer, "again");
    byte_writer_fini(&writer);
}

static void test_utf8(void **state)
{
    (void)state;
    struct byte_writer writer;
    byte_writer_init(&writer);
    byte_writer_utf8(&writer, text_of("caf\xc3\xa9"));
    expect(&writer, "caf\xc3\xa9");
    byte_writer_utf8(&writer, (struct text){"a\0b", 3});
    expect(&writer, "a\xef\xbf\xbd"
                    "b");
    byte_writer_utf8(&writer, text_of("\xff\xc3"));
    expect(&writer, "\xef\xbf\xbd\xef\xbf\xbd");
    byte_writer_utf8(&writer, (struct text){NULL, 0});
    expect(&writer, "");
    byte_writer_fini(&writer);
}

/* What is written without printf is what printf would write. */
static void test_nanoseconds(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 200000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        uint64_t count = random >> (i % 60);
        double value = (double)count / (i % 3 == 0 ? 1e9 : i % 3 == 1 ? 1e6 : 3e9);
        char expected[64];
        char written[64];
        for (int precision = 15; precision <= 17; precision++) {
            snprintf(expected, sizeof(expected), "%.*g", precision, value);
            if (strtod(expected, NULL) == value) {
                break;
            }
        }
        struct byte_writer writer;
        byte_writer_init(&writer);
        byte_writer_number(&writer, value);
        assert_true(writer.length < sizeof(written));
        memcpy(written, writer.data, writer.length);
        written[writer.length] = '\0';
        byte_writer_fini(&writer);
        if (value != trunc(value)) { /* whole numbers never have an exponent */
            assert_string_equal(written, expected);
        }
        assert_true(strtod(written, NULL) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_growth_keeps_bytes),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
