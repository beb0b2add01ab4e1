#include "tests/unit/http_parser/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "HTTP/1.1 204 next\r\n\r\n"

/* Bytes between '<' and '>' are lost; what happens behind them is what the test is about. */
static const struct {
    const char *name;
    const char *answers;
    const char *bytes;
    const char *expected;
} cases[] = {
    {"a part of a body", "", LENGTH_10 "01<2345>6789" NEXT,
     "200 1.1 OK; inside; end 10; 204 1.1 next; end 0"},
    {"the whole body", "", LENGTH_10 "<0123456789>" NEXT,
     "200 1.1 OK; inside; end 10; 204 1.1 next; end 0"},
    {"the end of a body", "", LENGTH_10 "0<123456789>" NEXT,
     "200 1.1 OK; inside; end 10; 204 1.1 next; end 0"},
    {"two losses in one body", "", LENGTH_10 "0<123>4<5678>9" NEXT,
     "200 1.1 OK; inside; inside; end 10; 204 1.1 next; end 0"},
    {"the end of a body and a byte of what follows", "", LENGTH_10 "01<23456789H>TTP/1.1",
     "200 1.1 OK; lost; invalid"},
    {"between messages", "", NEXT "<HTT>P/1.1 200 OK\r\n\r\n",
     "204 1.1 next; end 0; lost; invalid"},
    {"inside a head", "", "HTTP/1.1 20<0 OK>\r\n\r\n", "lost; invalid"},
    {"nothing between messages", "", NEXT "<>" NEXT,
     "204 1.1 next; end 0; inside; 204 1.1 next; end 0"},
    {"nothing inside chunk framing", "", CHUNKED "5<>\r\nhello\r\n0\r\n\r\n",
     "200 1.1 OK; inside; end 5"},
    {"a part of a chunk", "", CHUNKED "5\r\nh<el>lo\r\n0\r\n\r\n" NEXT,
     "200 1.1 OK; inside; end 5; 204 1.1 next; end 0"},
    {"all of a chunk's data", "", CHUNKED "5\r\n<hello>\r\n0\r\n\r\n" NEXT,
     "200 1.1 OK; inside; end 5; 204 1.1 next; end 0"},
    {"more than a chunk's data", "", CHUNKED "5\r\n<hello\r\n>0\r\n\r\n",
     "200 1.1 OK; lost; invalid"},
    {"a chunk's size", "", CHUNKED "<5>\r\nhello\r\n0\r\n\r\n", "200 1.1 OK; lost; invalid"},
    {"a chunk's extension", "", CHUNKED "5;<abc>\r\nhello\r\n0\r\n\r\n",
     "200 1.1 OK; lost; invalid"},
    {"a trailer", "", CHUNKED "0\r\nA: <b>\r\n\r\n", "200 1.1 OK; lost; invalid"},
    {"a close-delimited body", "", "HTTP/1.0 200 OK\r\n\r\nab<cdef>gh", "200 1.0 OK; inside"},
    {"a tunnel", "C", "HTTP/1.1 200 OK\r\n\r\nab<cdef>gh", "200 1.1 OK; end 0; tunnel; inside"},
    {"after bytes that are no HTTP", "", "nonsense\r\n<a>b", "invalid; lost"},
};

static struct guarded memory;

static void run(struct trace *trace, const char *marked)
{
    bool is_lost = false;
    for (const char *at = marked; *at != '\0';) {
        size_t run = strcspn(at, is_lost ? ">" : "<");
        if (is_lost)
            trace_lose(trace, run);
        else
            trace_give(trace, run);
        at += run + (at[run] != '\0' ? 1 : 0);
        is_lost = !is_lost;
    }
}

static void test_losses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char bytes[256];
        size_t length = 0;
        for (const char *at = cases[i].bytes; *at != '\0'; at++) {
            if (*at != '<' && *at != '>')
                bytes[length++] = *at;
        }
        struct trace trace;
        trace_init(&trace, &memory, HTTP_RESPONSES, cases[i].answers, bytes);
        run(&trace, cases[i].bytes);
        if (strcmp(trace.text, cases[i].expected) != 0)
            print_error("%s\n", cases[i].name);
        assert_string_equal(trace.text, cases[i].expected);
    }
}

static void feed(struct http_stream *stream, const char *bytes, enum http_event expected)
{
    size_t consumed = 0;
    assert_int_equal(http_stream_next(stream, bytes, strlen(bytes), &consumed), expected);
}

static void test_counts_lost_bytes(void **state)
{
    (void)state;
    struct http_stream stream;
    http_stream_init(&stream, HTTP_RESPONSES);
    feed(&stream, "HTTP/1.0 200 OK\r\n\r\n", HTTP_EVENT_HEAD);
    assert_int_equal(http_stream_skip(&stream, 1000), HTTP_SKIP_INSIDE);
    feed(&stream, "abc", HTTP_EVENT_NONE);
    assert_int_equal(stream.body_bytes, 1003);
    assert_int_equal(http_stream_finish(&stream), HTTP_EVENT_END);
}

/* Lost right behind a head whose body's end needs no bytes. */
static void test_behind_a_head(void **state)
{
    (void)state;
    struct http_stream stream;
    http_stream_init(&stream, HTTP_RESPONSES);
    feed(&stream, "HTTP/1.1 204 N\r\n\r\n", HTTP_EVENT_HEAD);
    assert_int_equal(http_stream_skip(&stream, 1), HTTP_SKIP_LOST);
    http_stream_restart(&stream);
    feed(&stream, "HTTP/1.1 101 S\r\n\r\n", HTTP_EVENT_HEAD);
    assert_int_equal(http_stream_skip(&stream, 1), HTTP_SKIP_INSIDE);
    feed(&stream, "", HTTP_EVENT_END);
    assert_int_equal(http_stream_skip(&stream, 1), HTTP_SKIP_INSIDE);
    feed(&stream, "", HTTP_EVENT_TUNNEL);
}

static void test_restart_after_loss(void **state)
{
    (void)state;
    struct http_stream stream;
    http_stream_init(&stream, HTTP_RESPONSES);
    feed(&stream, "HTTP/1.1 20", HTTP_EVENT_NONE);
    assert_int_equal(http_stream_skip(&stream, 100), HTTP_SKIP_LOST);
    assert_int_equal(http_stream_skip(&stream, 100), HTTP_SKIP_LOST);
    feed(&stream, "HTTP/1.1 204 N\r\n\r\n", HTTP_EVENT_INVALID);
    assert_int_equal(http_stream_finish(&stream), HTTP_EVENT_INVALID);
    assert_false(http_stream_is_between(&stream));
    http_stream_restart(&stream);
    feed(&stream, "HTTP/1.1 204 N\r\n\r\n", HTTP_EVENT_HEAD);
    assert_int_equal(stream.kind, HTTP_RESPONSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_counts_lost_bytes),
        cmocka_unit_test(test_behind_a_head),
        cmocka_unit_test(test_restart_after_loss),
    };
    guarded_init(&memory, 4096);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_fini(&memory);
    return failed;
}
