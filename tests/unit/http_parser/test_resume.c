#include "http_parser/stream.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A text of `length` bytes: `start`, then as many 'x' as fit, then `end`. */
static char *padded(const char *start, const char *end, size_t length)
{
    size_t start_length = strlen(start);
    size_t end_length = strlen(end);
    char *text = malloc(length);
    assert_non_null(text);
    assert_true(start_length + end_length <= length);
    memset(text, 'x', length);
    memcpy(text, start, start_length);
    memcpy(text + length - end_length, end, end_length);
    return text;
}

/*
 * A head of several pages comes in three parts. When the second is looked at, a page of the first
 * cannot be read: a search that went over old bytes again would die there. `middle` stands in the
 * third part.
 */
static void check_no_byte_is_searched_twice(const char *start, const char *middle, const char *end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t length = page * 6;
    char *text = padded(start, end, length);
    memcpy(text + page * 4 + 100, middle, strlen(middle));
    struct guarded memory;
    struct http_head head;
    size_t scanned = 0;
    guarded_init(&memory, length);
    char *bytes = memory.mapping;
    memcpy(bytes, text, length);
    assert_int_equal(http_request_head_parse(bytes, page * 3, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(mprotect(bytes + page, page, PROT_NONE), 0);
    assert_int_equal(http_request_head_parse(bytes, page * 4, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(http_request_head_parse(bytes, page * 5, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(mprotect(bytes + page, page, PROT_READ), 0);
    assert_int_equal(http_request_head_parse(bytes, length, &scanned, &head), HTTP_DONE);
    assert_int_equal(head.length, length);
    guarded_fini(&memory);
    free(text);
}

static void test_no_byte_is_searched_twice(void **state)
{
    (void)state;
    check_no_byte_is_searched_twice("GET /", "", " HTTP/1.1\r\n\r\n");
    check_no_byte_is_searched_twice("GET / HTTP/1.1\r\nA: ", "\r\nB: ", "\r\n\r\n");
    check_no_byte_is_searched_twice("GET / HTTP/1.1\r\nA: b\r\n", "\nB: c\n", ": y\r\n\r\n");
}

/* Byte by byte, so that a search from the start each time would take minutes. */
static void test_long_target_byte_by_byte(void **state)
{
    enum {
        LENGTH = 1 << 20
    };
    (void)state;
    char *text = padded("GET /", " HTTP/1.1\r\n\r\n", LENGTH);
    struct http_stream stream;
    size_t consumed = 0;
    http_stream_init(&stream, HTTP_REQUESTS);
    for (size_t length = 1; length < LENGTH; length++) {
        assert_int_equal(http_stream_next(&stream, text, length, &consumed), HTTP_EVENT_NONE);
        assert_int_equal(consumed, 0);
    }
    assert_int_equal(http_stream_next(&stream, text, LENGTH, &consumed), HTTP_EVENT_HEAD);
    assert_int_equal(consumed, LENGTH);
    assert_int_equal(stream.head.target.length, LENGTH - strlen("GET  HTTP/1.1\r\n\r\n"));
    free(text);
}

static void test_thousands_of_fields(void **state)
{
    enum {
        FIELDS = 10000,
        ROOM = FIELDS * 32
    };
    (void)state;
    char *text = malloc(ROOM);
    assert_non_null(text);
    int length = snprintf(text, ROOM, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < FIELDS; i++)
        length += snprintf(text + length, (size_t)(ROOM - length), "X-Field-%d: v\r\n", i);
    length += snprintf(text + length, (size_t)(ROOM - length), "Host: last\r\n\r\n");
    struct http_head head;
    size_t scanned = 0;
    assert_int_equal(http_request_head_parse(text, (size_t)length, &scanned, &head), HTTP_DONE);
    assert_int_equal(head.length, length);
    assert_int_equal(head.field[HTTP_FIELD_HOST].length, 4);
    assert_int_equal(head.flags, 0);
    scanned = 0;
    for (size_t part = 1; part < (size_t)length; part++)
        assert_int_equal(http_request_head_parse(text, part, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(http_request_head_parse(text, (size_t)length, &scanned, &head), HTTP_DONE);
    free(text);
}

/* Another head than the one `scanned` was kept for, and a shorter one. */
static void test_fewer_bytes_than_before(void **state)
{
    (void)state;
    static const char incomplete[] = "GET /a/long/target HTTP/1.1\r\nHost: example\r\n";
    static const char complete[] = "GET / HTTP/1.1\r\n\r\n";
    struct http_head head;
    size_t scanned = 0;
    assert_int_equal(http_request_head_parse(incomplete, sizeof(incomplete) - 1, &scanned, &head),
                     HTTP_INCOMPLETE);
    assert_int_equal(http_request_head_parse(complete, sizeof(complete) - 1, &scanned, &head),
                     HTTP_DONE);
    assert_int_equal(scanned, 0);
}

static void test_no_bytes(void **state)
{
    (void)state;
    struct http_head head;
    size_t scanned = 0;
    assert_int_equal(http_request_head_parse(NULL, 0, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(http_response_head_parse(NULL, 0, &scanned, &head), HTTP_INCOMPLETE);
    assert_int_equal(scanned, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_byte_is_searched_twice),
        cmocka_unit_test(test_long_target_byte_by_byte),
        cmocka_unit_test(test_thousands_of_fields),
        cmocka_unit_test(test_fewer_bytes_than_before),
        cmocka_unit_test(test_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
