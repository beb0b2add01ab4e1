#include "http_parser/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    LENGTH = HTTP_HEAD_CONTENT_LENGTH,
    CHUNKED = HTTP_HEAD_CHUNKED,
    OTHER = HTTP_HEAD_OTHER_CODING,
    CLOSE = HTTP_HEAD_CLOSE,
    UPGRADE = HTTP_HEAD_UPGRADE,
    EXPECT = HTTP_HEAD_EXPECT_CONTINUE,
    AMBIGUOUS = HTTP_HEAD_AMBIGUOUS,
};

/* Field lines and what they make of a head, for HTTP/1.1. */
struct fields_case {
    const char *fields;
    uint32_t request_flags;
    uint32_t response_flags;
    uint64_t content_length;
};

static struct http_head parse(const char *first_line, const char *fields)
{
    char text[512];
    struct http_head head = {0};
    size_t scanned = 0;
    int length = snprintf(text, sizeof(text), "%s\r\n%s\r\n", first_line, fields);
    enum http_result result = first_line[0] == 'H'
                                  ? http_response_head_parse(text, (size_t)length, &scanned, &head)
                                  : http_request_head_parse(text, (size_t)length, &scanned, &head);
    assert_int_equal(result, HTTP_DONE);
    assert_int_equal(head.length, length);
    return head;
}

static void check_all(const struct fields_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct http_head request = parse("POST / HTTP/1.1", cases[i].fields);
        struct http_head response = parse("HTTP/1.1 200 OK", cases[i].fields);
        if (request.flags != cases[i].request_flags || response.flags != cases[i].response_flags)
            print_error("%s\n", cases[i].fields);
        assert_int_equal(request.flags, cases[i].request_flags);
        assert_int_equal(response.flags, cases[i].response_flags);
        assert_true(request.content_length == cases[i].content_length);
        assert_true(response.content_length == cases[i].content_length);
    }
}
#define CHECK(cases) check_all(cases, sizeof(cases) / sizeof(cases[0]))
#define BOTH(flags) (flags), (flags)

static void test_content_length(void **state)
{
    static const struct fields_case cases[] = {
        {"Content-Length: 0\r\n", BOTH(LENGTH), 0},
        {"content-length:42\r\n", BOTH(LENGTH), 42},
        {"CONTENT-LENGTH: \t 042 \t\r\n", BOTH(LENGTH), 42},
        {"Content-Length: 18446744073709551615\r\n", BOTH(LENGTH), UINT64_MAX},
        {"Content-Length: 000000000000000000000000000007\r\n", BOTH(LENGTH), 7},
        /* the same value again */
        {"Content-Length: 5, 5\r\n", BOTH(LENGTH), 5},
        {"Content-Length: 5 ,\t5,5\r\n", BOTH(LENGTH), 5},
        {"Content-Length: 5\r\nContent-Length: 5\r\n", BOTH(LENGTH), 5},
        /* differing ones: the first */
        {"Content-Length: 5, 6\r\n", BOTH(LENGTH | AMBIGUOUS), 5},
        {"Content-Length: 5\r\nContent-Length: 6\r\n", BOTH(LENGTH | AMBIGUOUS), 5},
        {"Content-Length: 6\r\nContent-Length: 5, 6\r\n", BOTH(LENGTH | AMBIGUOUS), 6},
        /* not all are numbers: the first that is one */
        {"Content-Length: x, 6\r\n", BOTH(LENGTH | AMBIGUOUS), 6},
        {"Content-Length: 5,\r\n", BOTH(LENGTH | AMBIGUOUS), 5},
        {"Content-Length: ,5\r\n", BOTH(LENGTH | AMBIGUOUS), 5},
        {"Content-Length: -1\r\nContent-Length: 6\r\n", BOTH(LENGTH | AMBIGUOUS), 6},
        /* none is */
        {"Content-Length:\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: +5\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: -5\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 5x\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 0x5\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 5 5\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 5;\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: \"5\"\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 18446744073709551616\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 99999999999999999999\r\n", BOTH(AMBIGUOUS), 0},
        {"Content-Length: 184467440737095516150\r\n", BOTH(AMBIGUOUS), 0},
        /* not this field */
        {"Content_Length: 5\r\nXontent-Length: 5\r\nContent-Lengtx: 5\r\n", BOTH(0), 0},
    };
    (void)state;
    CHECK(cases);
}

static void test_transfer_encoding(void **state)
{
    static const struct fields_case cases[] = {
        {"Transfer-Encoding: chunked\r\n", BOTH(CHUNKED), 0},
        {"transfer-encoding:CHUNKED\r\n", BOTH(CHUNKED), 0},
        {"Transfer-Encoding: gzip, chunked\r\n", BOTH(CHUNKED), 0},
        {"Transfer-Encoding: ,, chunked ,\r\n", BOTH(CHUNKED), 0},
        {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", BOTH(CHUNKED), 0},
        /* the last coding is not chunked */
        {"Transfer-Encoding: gzip\r\n", OTHER | AMBIGUOUS, OTHER, 0},
        {"Transfer-Encoding: foo;a=b\r\n", OTHER | AMBIGUOUS, OTHER, 0},
        {"Transfer-Encoding: chunkedx\r\n", OTHER | AMBIGUOUS, OTHER, 0},
        {"Transfer-Encoding: chunked, gzip\r\n", BOTH(OTHER | AMBIGUOUS), 0},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", BOTH(OTHER | AMBIGUOUS), 0},
        {"Transfer-Encoding: chunked gzip\r\n", OTHER | AMBIGUOUS, OTHER, 0},
        {"Transfer-Encoding: \"chunked\"\r\n", BOTH(OTHER | AMBIGUOUS), 0},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         BOTH(OTHER | AMBIGUOUS), 0},
        /* chunked twice, with parameters, and after a comma that may be quoted */
        {"Transfer-Encoding: chunked, chunked\r\n", BOTH(CHUNKED | AMBIGUOUS), 0},
        {"Transfer-Encoding: chunked;a=b\r\n", BOTH(CHUNKED | AMBIGUOUS), 0},
        {"Transfer-Encoding: foo;a=\"b, chunked\"\r\n", BOTH(OTHER | AMBIGUOUS), 0},
        /* no coding at all */
        {"Transfer-Encoding:\r\n", BOTH(AMBIGUOUS), 0},
        {"Transfer-Encoding: identity\r\n", BOTH(AMBIGUOUS), 0},
        {"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", BOTH(LENGTH | AMBIGUOUS), 3},
        {"Transfer-Encoding: identity, chunked\r\n", BOTH(CHUNKED | AMBIGUOUS), 0},
        {"Transfer-Encoding: chunked, identity\r\n", BOTH(CHUNKED | AMBIGUOUS), 0},
        /* both framings */
        {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", BOTH(LENGTH | CHUNKED | AMBIGUOUS),
         3},
        {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", BOTH(LENGTH | CHUNKED | AMBIGUOUS),
         3},
        {"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", BOTH(LENGTH | OTHER | AMBIGUOUS), 3},
    };
    (void)state;
    CHECK(cases);
}

static void test_connection(void **state)
{
    static const struct fields_case cases[] = {
        {"", BOTH(0), 0},
        {"Connection: close\r\n", BOTH(CLOSE), 0},
        {"Connection: foo, CLOSE\r\n", BOTH(CLOSE), 0},
        {"Connection: keep-alive\r\n", BOTH(0), 0},
        {"Connection: keep-alive, close\r\n", BOTH(CLOSE), 0},
        {"Connection: Upgrade\r\n", BOTH(UPGRADE), 0},
        {"Connection: keep-alive, upgrade\r\nConnection: close\r\n", BOTH(UPGRADE | CLOSE), 0},
        {"Connection: closed, xclose, cloze\r\n", BOTH(0), 0},
        {"Connection:\r\n", BOTH(0), 0},
        {"Expect: 100-continue\r\n", BOTH(EXPECT), 0},
        {"Expect: foo, 100-Continue\r\n", BOTH(EXPECT), 0},
        {"Expect: 101-continue\r\n", BOTH(0), 0},
        {"Expect: 100-continuE\r\nConnection: close\r\n", BOTH(EXPECT | CLOSE), 0},
    };
    (void)state;
    CHECK(cases);
}

/* Section 9.3: HTTP/1.0 persists only if both say so. */
static void test_version_1_0(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.0", "").flags, CLOSE);
    assert_int_equal(parse("GET / HTTP/1.0", "Connection: Keep-Alive\r\n").flags, 0);
    assert_int_equal(parse("GET / HTTP/1.0", "Connection: keep-alive, close\r\n").flags, CLOSE);
    assert_int_equal(parse("HTTP/1.0 200 OK", "").flags, CLOSE);
    assert_int_equal(parse("HTTP/1.0 200 OK", "Connection: keep-alive\r\n").flags, 0);
    assert_int_equal(parse("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n").flags,
                     CLOSE | CHUNKED | AMBIGUOUS);
    assert_int_equal(parse("GET / HTTP/1.0", "Transfer-Encoding: chunked\r\n").flags,
                     CLOSE | CHUNKED | AMBIGUOUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_length),
        cmocka_unit_test(test_transfer_encoding),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_version_1_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
