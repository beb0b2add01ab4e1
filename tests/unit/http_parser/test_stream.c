#include "tests/unit/http_parser/fixtures.h"
#include "tests/unit/http_parser/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guarded memory;

/* The fixture's trace when the bytes come in pieces of `first` and then `step` bytes. */
static void check_cut(const struct stream_fixture *fixture, size_t first, size_t step)
{
    struct trace trace;
    trace_init(&trace, &memory, fixture->kind, fixture->answers, fixture->bytes);
    trace_give(&trace, first);
    while (trace.given < fixture->length) {
        size_t left = fixture->length - trace.given;
        trace_give(&trace, left < step ? left : step);
    }
    trace_close(&trace);
    if (strcmp(trace.text, fixture->expected) != 0)
        print_error("%s (cut at %zu, then every %zu):\n  is %s\n", fixture->name, first, step,
                    trace.text);
    assert_string_equal(trace.text, fixture->expected);
}

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < stream_fixture_count; i++)
        check_cut(&stream_fixtures[i], stream_fixtures[i].length, 1);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < stream_fixture_count; i++)
        check_cut(&stream_fixtures[i], 0, 1);
}

static void test_cut_at_every_position(void **state)
{
    (void)state;
    for (size_t i = 0; i < stream_fixture_count; i++) {
        const struct stream_fixture *fixture = &stream_fixtures[i];
        for (size_t cut = 0; cut < fixture->length; cut++)
            check_cut(fixture, cut, fixture->length);
    }
}

static void test_restart_after_invalid(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char good[] = "GET / HTTP/1.1\r\n\r\n";
    http_stream_init(&stream, HTTP_REQUESTS);
    assert_int_equal(http_stream_next(&stream, "\x01", 1, &consumed), HTTP_EVENT_INVALID);
    assert_int_equal(consumed, 0);
    assert_int_equal(http_stream_next(&stream, good, sizeof(good) - 1, &consumed),
                     HTTP_EVENT_INVALID);
    assert_int_equal(consumed, 0);
    assert_false(http_stream_is_between(&stream));
    http_stream_restart(&stream);
    assert_true(http_stream_is_between(&stream));
    assert_int_equal(http_stream_next(&stream, good, sizeof(good) - 1, &consumed), HTTP_EVENT_HEAD);
    assert_int_equal(consumed, sizeof(good) - 1);
}

static void test_between_until_a_head_begins(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char bytes[] = "\r\nGET / HTTP/1.1\r\n\r\n";
    http_stream_init(&stream, HTTP_REQUESTS);
    assert_true(http_stream_is_between(&stream));
    assert_int_equal(http_stream_next(&stream, NULL, 0, &consumed), HTTP_EVENT_NONE);
    assert_int_equal(http_stream_next(&stream, bytes, 1, &consumed), HTTP_EVENT_NONE);
    assert_int_equal(consumed, 0);
    assert_true(http_stream_is_between(&stream));
    assert_int_equal(http_stream_next(&stream, bytes, 3, &consumed), HTTP_EVENT_NONE);
    assert_int_equal(consumed, 2);
    assert_false(http_stream_is_between(&stream));
    assert_int_equal(http_stream_next(&stream, bytes + 2, sizeof(bytes) - 3, &consumed),
                     HTTP_EVENT_HEAD);
    assert_int_equal(consumed, stream.head.length);
    assert_false(http_stream_is_between(&stream));
    assert_int_equal(http_stream_next(&stream, NULL, 0, &consumed), HTTP_EVENT_END);
    assert_true(http_stream_is_between(&stream));
}

/* The head is the tail of what HTTP_EVENT_HEAD consumed, however many empty lines came with it. */
static void test_head_length_leaves_out_empty_lines(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char bytes[] = "\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    http_stream_init(&stream, HTTP_REQUESTS);
    assert_int_equal(http_stream_next(&stream, bytes, sizeof(bytes) - 1, &consumed),
                     HTTP_EVENT_HEAD);
    assert_int_equal(consumed, sizeof(bytes) - 1);
    assert_int_equal(stream.head.length, sizeof(bytes) - 1 - 4);
    assert_ptr_equal(stream.head.method.data, bytes + 4);
}

static void test_body_bytes_while_it_lasts(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char head[] = "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n";
    http_stream_init(&stream, HTTP_REQUESTS);
    assert_int_equal(http_stream_next(&stream, head, sizeof(head) - 1, &consumed), HTTP_EVENT_HEAD);
    assert_int_equal(http_stream_next(&stream, "1234", 4, &consumed), HTTP_EVENT_NONE);
    assert_int_equal(consumed, 4);
    assert_int_equal(stream.body_bytes, 4);
    assert_int_equal(stream.remaining, 6);
    assert_int_equal(http_stream_next(&stream, "567890GET", 9, &consumed), HTTP_EVENT_END);
    assert_int_equal(consumed, 6);
    assert_int_equal(stream.body_bytes, 10);
}

/* An answer to a request says nothing to a stream of requests. */
static void test_answer_is_for_responses(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char head[] = "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n";
    http_stream_init(&stream, HTTP_REQUESTS);
    assert_int_equal(http_stream_next(&stream, head, sizeof(head) - 1, &consumed), HTTP_EVENT_HEAD);
    http_stream_answer(&stream, HTTP_REQUEST_HEAD);
    assert_int_equal(http_stream_next(&stream, NULL, 0, &consumed), HTTP_EVENT_NONE);
    assert_int_equal(stream.remaining, 1);
}

/* Without a call for what follows the head: the connection ends right there. */
static void test_finish_right_behind_a_head(void **state)
{
    static const struct {
        const char *head;
        enum http_event first;
        enum http_event second;
    } cases[] = {
        {"HTTP/1.1 204 N\r\n\r\n", HTTP_EVENT_END, HTTP_EVENT_NONE},
        {"HTTP/1.1 101 S\r\n\r\n", HTTP_EVENT_END, HTTP_EVENT_NONE},
        {"HTTP/1.1 200 S\r\n\r\n", HTTP_EVENT_END, HTTP_EVENT_NONE},
        {"HTTP/1.1 200 S\r\nContent-Length: 1\r\n\r\n", HTTP_EVENT_INVALID, HTTP_EVENT_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_stream stream;
        size_t consumed = 0;
        http_stream_init(&stream, HTTP_RESPONSES);
        assert_int_equal(http_stream_next(&stream, cases[i].head, strlen(cases[i].head), &consumed),
                         HTTP_EVENT_HEAD);
        assert_int_equal(http_stream_finish(&stream), cases[i].first);
        assert_int_equal(http_stream_finish(&stream), cases[i].second);
    }
}

static void test_finish_between_end_and_tunnel(void **state)
{
    (void)state;
    struct http_stream stream;
    size_t consumed = 0;
    static const char head[] = "HTTP/1.1 101 S\r\n\r\n";
    http_stream_init(&stream, HTTP_RESPONSES);
    assert_int_equal(http_stream_next(&stream, head, sizeof(head) - 1, &consumed), HTTP_EVENT_HEAD);
    assert_int_equal(http_stream_next(&stream, NULL, 0, &consumed), HTTP_EVENT_END);
    assert_int_equal(http_stream_finish(&stream), HTTP_EVENT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_cut_at_every_position),
        cmocka_unit_test(test_restart_after_invalid),
        cmocka_unit_test(test_between_until_a_head_begins),
        cmocka_unit_test(test_head_length_leaves_out_empty_lines),
        cmocka_unit_test(test_body_bytes_while_it_lasts),
        cmocka_unit_test(test_answer_is_for_responses),
        cmocka_unit_test(test_finish_right_behind_a_head),
        cmocka_unit_test(test_finish_between_end_and_tunnel),
    };
    guarded_init(&memory, 4096);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
