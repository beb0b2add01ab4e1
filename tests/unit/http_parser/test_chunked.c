#include "tests/unit/http_parser/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "HTTP/1.1 204 next\r\n\r\n"

/* Bytes behind the head, and the events behind the head's up to the message behind it. */
static const struct {
    const char *body;
    const char *expected;
} cases[] = {
    {"0\r\n\r\n", "end 0"},
    {"5\r\nhello\r\n0\r\n\r\n", "end 5"},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "end 11"},
    {"a\r\n0123456789\r\n0\r\n\r\n", "end 10"},
    {"A\r\n0123456789\r\n0\r\n\r\n", "end 10"},
    {"1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n", "end 31"},
    {"0000000000000000000005\r\nhello\r\n0000000000000000000000\r\n\r\n", "end 5"},
    /* a line "0" inside the data is data */
    {"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "end 5"},
    /* extensions */
    {"5;name=value\r\nhello\r\n0;last\r\n\r\n", "end 5"},
    {"5 ; a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "end 5"},
    {"5;\r\nhello\r\n0\r\n\r\n", "end 5"},
    {"5 \t \r\nhello\r\n0 \r\n\r\n", "end 5"},
    {"5;a\rb\r\nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    {"5;a\r\r\nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    {"5;a\nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    {"5 a\r\nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    /* trailers */
    {"0\r\nExpires: never\r\n\r\n", "end 0"},
    {"0\r\nA: b\r\nC: d\r\n folded\r\n\r\n", "end 0"},
    {"0\r\nA: b\n\n", "end 0"},
    {"0\r\n\n", "end 0"},
    {"0\r\nA: b\r\n\n", "end 0"},
    {"0\r\n\rA: b\r\n\r\n", "end 0 ambiguous"},
    {"0\r\n\r\r\n\r\n", "end 0 ambiguous"},
    {"0\r\nA: \rb\r\n\r\n", "end 0"},
    /* bare LF in the framing */
    {"5\nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    {"5\r\nhello\n0\r\n\r\n", "end 5 ambiguous"},
    {"0\n\n", "end 0 ambiguous"},
    {"5 \nhello\r\n0\r\n\r\n", "end 5 ambiguous"},
    /* what cannot be read */
    {"\r\n", "invalid"},
    {"x\r\n", "invalid"},
    {" 5\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"-5\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"+5\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"0x5\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"5g\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"5@\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"5`\r\nhello\r\n0\r\n\r\n", "invalid"},
    {";a\r\nhello\r\n0\r\n\r\n", "invalid"},
    {"5\rhello\r\n0\r\n\r\n", "invalid"},
    {"5\r\nhellox\r\n0\r\n\r\n", "invalid"},
    {"5\r\nhello\rx0\r\n\r\n", "invalid"},
    {"5\r\nhello\r\r\n0\r\n\r\n", "invalid"},
    {"5\r\nhello0\r\n\r\n", "invalid"},
    {"10000000000000000\r\n", "invalid"},
    {"ffffffffffffffffff\r\n", "invalid"},
};

static struct guarded memory;

static void check(size_t index, size_t step)
{
    char bytes[256];
    char expected[256];
    struct trace trace;
    bool is_invalid = strcmp(cases[index].expected, "invalid") == 0;
    snprintf(bytes, sizeof(bytes), "%s%s%s", HEAD, cases[index].body, NEXT);
    snprintf(expected, sizeof(expected), "200 1.1 OK; %s%s", cases[index].expected,
             is_invalid ? "" : "; 204 1.1 next; end 0");
    size_t length = strlen(bytes);
    trace_init(&trace, &memory, HTTP_RESPONSES, NULL, bytes);
    for (size_t left = length; left > 0; left = length - trace.given)
        trace_give(&trace, left < step ? left : step);
    if (strcmp(trace.text, expected) != 0)
        print_error("body \"%s\" in steps of %zu\n", cases[index].body, step);
    assert_string_equal(trace.text, expected);
}

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 100; step++)
            check(i, step);
    }
}

/* The greatest size there is; the sum of two such sizes wraps and does no harm. */
static void test_greatest_size(void **state)
{
    (void)state;
    static const char bytes[] = HEAD "ffffffffffffffff\r\n";
    struct trace trace;
    trace_init(&trace, &memory, HTTP_RESPONSES, NULL, bytes);
    trace_give(&trace, sizeof(bytes) - 1);
    assert_string_equal(trace.text, "200 1.1 OK");
    assert_true(trace.stream.remaining == UINT64_MAX);
    assert_int_equal(http_stream_skip(&trace.stream, UINT64_MAX), HTTP_SKIP_INSIDE);
    assert_true(trace.stream.body_bytes == UINT64_MAX);
}

/* Sizes of a body that is much longer than what is passed at once. */
static void test_many_chunks(void **state)
{
    enum {
        CHUNKS = 5000,
        CHUNK = 0x123
    };
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    char chunk[CHUNK + 16];
    int prefix = snprintf(chunk, sizeof(chunk), "%x\r\n", (unsigned)CHUNK);
    size_t length = (size_t)prefix + CHUNK + 2;
    memset(chunk + prefix, 'x', CHUNK);
    memcpy(chunk + length - 2, "\r\n", 2);
    http_stream_init(&stream, HTTP_RESPONSES);
    assert_int_equal(http_stream_next(&stream, HEAD, sizeof(HEAD) - 1, &consumed), HTTP_EVENT_HEAD);
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(http_stream_next(&stream, chunk, length, &consumed), HTTP_EVENT_NONE);
        assert_int_equal(consumed, length);
    }
    assert_int_equal(http_stream_next(&stream, "0\r\n\r\n", 5, &consumed), HTTP_EVENT_END);
    assert_int_equal(stream.body_bytes, (uint64_t)CHUNKS * CHUNK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_greatest_size),
        cmocka_unit_test(test_many_chunks),
    };
    guarded_init(&memory, 4096);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
