#include "tests/unit/http_parser/head_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) .bytes = (literal), .length = sizeof(literal) - 1
#define AMBIGUOUS .flags = HTTP_HEAD_AMBIGUOUS
#define TEN "0123456789"
#define SIXTY_FOUR TEN TEN TEN TEN TEN TEN "0123"
/* A request line that is as it should be; what follows is what the case is about. */
#define GET(fields)                                                                                \
    BYTES("GET / HTTP/1.1\r\n" fields), .method = "GET", .target = "/", .minor_version = 1

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        head_check(HTTP_REQUESTS, &cases[i]);
}
#define CHECK(cases) check_all(cases, sizeof(cases) / sizeof(cases[0]))

static void test_request_lines(void **state)
{
    static const struct head_case cases[] = {
        {BYTES("GET / HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1},
        {BYTES("GET / HTTP/1.0\r\n\r\n"), .method = "GET", .target = "/", .flags = HTTP_HEAD_CLOSE},
        {BYTES("GET / HTTP/1.9\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 9},
        {BYTES("\r\n\n\r\nGET / HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/",
         .minor_version = 1},
        {BYTES("GET / HTTP/1.1\n\n"), .method = "GET", .target = "/", .minor_version = 1},
        {BYTES("GET / HTTP/1.1\n\r\n"), .method = "GET", .target = "/", .minor_version = 1},
        {BYTES("GET http://h:81/p?q#f HTTP/1.1\r\n\r\n"), .method = "GET",
         .target = "http://h:81/p?q#f", .minor_version = 1},
        {BYTES("CONNECT [::1]:443 HTTP/1.1\r\n\r\n"), .method = "CONNECT", .target = "[::1]:443",
         .minor_version = 1},
        {BYTES("OPTIONS * HTTP/1.1\r\n\r\n"), .method = "OPTIONS", .target = "*",
         .minor_version = 1},
        {BYTES("pUt /\xc3\xa9\xff HTTP/1.1\r\n\r\n"), .method = "pUt", .target = "/\xc3\xa9\xff",
         .minor_version = 1},
        {BYTES("!#$%&'*+-.^_`|~09AZaz / HTTP/1.1\r\n\r\n"), .method = "!#$%&'*+-.^_`|~09AZaz",
         .target = "/", .minor_version = 1},
        {BYTES(SIXTY_FOUR " / HTTP/1.1\r\n\r\n"), .method = SIXTY_FOUR, .target = "/",
         .minor_version = 1},
        /* HTTP/1.1 inside the target is only a part of it */
        {BYTES("GET /HTTP/1.1 HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/HTTP/1.1",
         .minor_version = 1},
    };
    (void)state;
    CHECK(cases);
}

static void test_lenient_request_lines(void **state)
{
    static const struct head_case cases[] = {
        {BYTES("GET  / HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET\t/ HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET /  HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET /\tHTTP/1.1\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET / HTTP/1.1 \t\r\n\r\n"), .method = "GET", .target = "/", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET /a b\tc HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/a b\tc",
         .minor_version = 1, AMBIGUOUS},
        {BYTES("GET /a HTTP/1.1 HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/a HTTP/1.1",
         .minor_version = 1, AMBIGUOUS},
        {BYTES("GET /\x01\x7f HTTP/1.1\r\n\r\n"), .method = "GET", .target = "/\x01\x7f",
         .minor_version = 1, AMBIGUOUS},
        {BYTES("GET /\ra HTTP/1.1\n\r\n"), .method = "GET", .target = "/\ra", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET HTTP/1.1\r\n\r\n"), .method = "GET", .target = "", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("GET  HTTP/1.1\r\n\r\n"), .method = "GET", .target = "", .minor_version = 1,
         AMBIGUOUS},
    };
    (void)state;
    CHECK(cases);
}

static void test_no_request_lines(void **state)
{
    static const struct head_case cases[] = {
        {BYTES(" GET / HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("\rGET / HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET \r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET /\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / \r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / HTTP/1.1\r\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / HTTP/1.\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / HTTP/1.x\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / HTTP/1.11\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / HTTP/2.0\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET / http/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET /HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET:/ HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("G\xc3\x89T / HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("GET\0/ HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES(SIXTY_FOUR "4 / HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("\x16\x03\x01\x02\x00\x01\x00"), .result = HTTP_INVALID},
    };
    (void)state;
    CHECK(cases);
}

/* What cannot become a request is refused before its line is there. */
static void test_refused_early(void **state)
{
    static const struct {
        const char *bytes;
        size_t decided_at; /* length of the shortest beginning that is refused */
    } cases[] = {
        {"\x16\x03\x01", 1}, {"\r\nG\x01", 4},     {"{\"a\":1}", 1},
        {"GET/x", 4},        {SIXTY_FOUR "4", 65}, {"GET / HTTP/2.0\n", 15},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head;
        size_t scanned = 0;
        size_t grown = 0;
        for (size_t length = 1; length < cases[i].decided_at; length++) {
            size_t fresh = 0;
            assert_int_equal(http_request_head_parse(cases[i].bytes, length, &fresh, &head),
                             HTTP_INCOMPLETE);
            assert_int_equal(http_request_head_parse(cases[i].bytes, length, &grown, &head),
                             HTTP_INCOMPLETE);
        }
        size_t length = cases[i].decided_at;
        assert_int_equal(http_request_head_parse(cases[i].bytes, length, &scanned, &head),
                         HTTP_INVALID);
        assert_int_equal(http_request_head_parse(cases[i].bytes, length, &grown, &head),
                         HTTP_INVALID);
    }
}

static void test_host(void **state)
{
    static const struct head_case cases[] = {
        {GET("Host: h.example:80\r\n\r\n"), .host = "h.example:80"},
        {GET("hOST:h\r\n\r\n"), .host = "h"},
        {GET("HOST: \t h \t \r\n\r\n"), .host = "h"},
        {GET("Host:\r\n\r\n"), .host = ""},
        {GET("Host: \t \r\n\r\n"), .host = ""},
        {GET("Host: h\nA: b\n\n"), .host = "h"},
        {GET("Hos: a\r\nHostt: b\r\nXost: c\r\n\r\n")},
        {GET("Host: a\r\nHost: b\r\n\r\n"), .host = "a", AMBIGUOUS},
        {GET("Host: a\r\nHost: a\r\n\r\n"), .host = "a", AMBIGUOUS},
        {GET("Host:\r\nHost: a\r\n\r\n"), .host = "", AMBIGUOUS},
    };
    (void)state;
    CHECK(cases);
}

static void test_odd_field_lines(void **state)
{
    static const struct head_case cases[] = {
        /* white space before the colon */
        {GET("Host : h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Host\t \t: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Content-Length : 3\r\n\r\n"), .content_length = 3,
         .flags = HTTP_HEAD_AMBIGUOUS | HTTP_HEAD_CONTENT_LENGTH},
        /* no field at all */
        {GET("nonsense\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("two words\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET(": value\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Ho(st: a\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("H\xf6st: a\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Host\x01: a\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("nonsense\r\n folded\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        /* white space before the first field line */
        {GET(" Host: a\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("\t\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        /* what is in a value */
        {GET("A: \xe4\xf6\xfc\xff\x80\r\nHost: \xff\r\n\r\n"), .host = "\xff"},
        {GET("A: \t tab\tbed \r\n\r\n")},
        {GET("A: b\0c\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("A: b\x1f\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("A: b\x7f\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("A: b\rHost: x\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Host: a\rb\r\n\r\n"), .host = "a\rb", AMBIGUOUS},
        {GET("Host: a\r\r\n\r\n"), .host = "a", AMBIGUOUS},
        {GET("A: b\r\n\r\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
    };
    (void)state;
    CHECK(cases);
}

static void test_folding(void **state)
{
    static const struct head_case cases[] = {
        {GET("A: b\r\n c\r\n\td\r\nHost: h\r\n\r\n"), .host = "h"},
        {GET("A: b\n c\n\td\nHost: h\n\n"), .host = "h"},
        {GET("A: b\r\n \r\nHost: h\r\n\r\n"), .host = "h"},
        {GET("A: b\r\n c\x02\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("A: b\r\n word: c\r\nHost: h\r\n\r\n"), .host = "h"},
        {GET("A: b\r\n host\r\nHost: h\r\n\r\n"), .host = "h"},
        /* a field whose reading matters */
        {GET("Host:\r\n h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("Host: a\r\n b\r\n \r\n\r\n"), .host = "a\r\n b", AMBIGUOUS},
        {GET("Content-Length:\r\n 12\r\n\r\n"), .content_length = 12,
         .flags = HTTP_HEAD_AMBIGUOUS | HTTP_HEAD_CONTENT_LENGTH},
        {GET("Content-Length: 1\r\n 2\r\n\r\n"), AMBIGUOUS},
        {GET("Transfer-Encoding: gzip,\r\n chunked\r\n\r\n"),
         .flags = HTTP_HEAD_AMBIGUOUS | HTTP_HEAD_CHUNKED},
        /* a continuation that others may read as such a field */
        {GET("A: b\r\n Transfer-Encoding: chunked\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
        {GET("A: b\r\n \t content-length \t: 3\r\nHost: h\r\n\r\n"), .host = "h", AMBIGUOUS},
    };
    (void)state;
    CHECK(cases);
}

static void test_first_of_each_field(void **state)
{
    static const char *const names[HTTP_FIELD_COUNT] = {
        [HTTP_FIELD_HOST] = "Host",
        [HTTP_FIELD_USER_AGENT] = "User-Agent",
        [HTTP_FIELD_TRACEPARENT] = "traceparent",
        [HTTP_FIELD_B3] = "b3",
        [HTTP_FIELD_X_B3_TRACEID] = "X-B3-TraceId",
        [HTTP_FIELD_X_B3_SPANID] = "X-B3-SpanId",
        [HTTP_FIELD_X_B3_SAMPLED] = "X-B3-Sampled",
        [HTTP_FIELD_UBER_TRACE_ID] = "uber-trace-id",
        [HTTP_FIELD_UPGRADE] = "Upgrade",
    };
    (void)state;
    for (size_t i = 0; i < HTTP_FIELD_COUNT; i++) {
        char text[256];
        struct http_head head;
        size_t scanned = 0;
        int length = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s: one\r\n%s: two\r\n\r\n",
                              names[i], names[i]);
        assert_int_equal(http_request_head_parse(text, (size_t)length, &scanned, &head), HTTP_DONE);
        for (size_t other = 0; other < HTTP_FIELD_COUNT; other++) {
            if (other != i)
                assert_null(head.field[other].data);
        }
        assert_int_equal(head.field[i].length, 3);
        assert_memory_equal(head.field[i].data, "one", 3);
        assert_int_equal(head.flags, i == HTTP_FIELD_HOST ? HTTP_HEAD_AMBIGUOUS : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_lenient_request_lines),
        cmocka_unit_test(test_no_request_lines),
        cmocka_unit_test(test_refused_early),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_odd_field_lines),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_first_of_each_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
