#include "tests/unit/http_parser/head_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(literal) .bytes = (literal), .length = sizeof(literal) - 1
#define SIXTEEN_SPACES "                "
#define AMBIGUOUS .flags = HTTP_HEAD_AMBIGUOUS

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        head_check(HTTP_RESPONSES, &cases[i]);
}
#define CHECK(cases) check_all(cases, sizeof(cases) / sizeof(cases[0]))

static void test_status_lines(void **state)
{
    static const struct head_case cases[] = {
        {BYTES("HTTP/1.1 200 OK\r\n\r\n"), .status = 200, .reason = "OK", .minor_version = 1},
        {BYTES("HTTP/1.0 404 Not Found\r\n\r\n"), .status = 404, .reason = "Not Found",
         .flags = HTTP_HEAD_CLOSE},
        {BYTES("HTTP/1.1 100 Continue\r\n\r\n"), .status = 100, .reason = "Continue",
         .minor_version = 1},
        {BYTES("HTTP/1.1 999 \r\n\r\n"), .status = 999, .reason = "", .minor_version = 1},
        {BYTES("HTTP/1.1 200\r\n\r\n"), .status = 200, .minor_version = 1},
        {BYTES("HTTP/1.1 200\n\n"), .status = 200, .minor_version = 1},
        {BYTES("HTTP/1.1 200 \xc3\xa4\tb \r\n\r\n"), .status = 200, .reason = "\xc3\xa4\tb ",
         .minor_version = 1},
        {BYTES("\r\n\nHTTP/1.1 200 OK\r\n\r\n"), .status = 200, .reason = "OK", .minor_version = 1},
        {BYTES("HTTP/1.7 200 OK\nServer: x\n\n"), .status = 200, .reason = "OK",
         .minor_version = 7},
        /* read, but not by everybody in this way */
        {BYTES("HTTP/1.1  200 OK\r\n\r\n"), .status = 200, .reason = "OK", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("HTTP/1.1" SIXTEEN_SPACES "200 OK\r\n\r\n"), .status = 200, .reason = "OK",
         .minor_version = 1, AMBIGUOUS},
        {BYTES("HTTP/1.1\t200\tOK\r\n\r\n"), .status = 200, .reason = "OK", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), .status = 200, .reason = "O\rK", .minor_version = 1,
         AMBIGUOUS},
        {BYTES("HTTP/1.1 200 O\x01K\n\r\n"), .status = 200, .reason = "O\x01K", .minor_version = 1,
         AMBIGUOUS},
    };
    (void)state;
    CHECK(cases);
}

static void test_no_status_lines(void **state)
{
    static const struct head_case cases[] = {
        {BYTES("GET / HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("http/1.1 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/2.0 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.x 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.10 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1" SIXTEEN_SPACES " 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 \r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 20\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 2x0 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 099 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 1000 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("HTTP/1.1 200OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES(" HTTP/1.1 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("ICY 200 OK\r\n\r\n"), .result = HTTP_INVALID},
        {BYTES("\r\rHTTP/1.1 200 OK\r\n\r\n"), .result = HTTP_INVALID},
    };
    (void)state;
    CHECK(cases);
}

static void test_refused_early(void **state)
{
    static const struct {
        const char *bytes;
        size_t decided_at;
    } cases[] = {
        {"\x16", 1},          {"HTTq", 4},           {"HTTP/2", 6},
        {"HTTP/1.x", 8},      {"HTTP/1.1-", 9},      {"HTTP/1.1 0", 10},
        {"HTTP/1.1 20x", 12}, {"HTTP/1.1 2000", 13}, {"HTTP/1.1" SIXTEEN_SPACES "\t", 25},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head;
        size_t scanned = 0;
        for (size_t length = 1; length < cases[i].decided_at; length++) {
            assert_int_equal(http_response_head_parse(cases[i].bytes, length, &scanned, &head),
                             HTTP_INCOMPLETE);
        }
        assert_int_equal(
            http_response_head_parse(cases[i].bytes, cases[i].decided_at, &scanned, &head),
            HTTP_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_lines),
        cmocka_unit_test(test_no_status_lines),
        cmocka_unit_test(test_refused_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
