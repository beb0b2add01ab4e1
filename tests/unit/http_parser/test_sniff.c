#include "http_parser/head.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) (literal), sizeof(literal) - 1
#define TEN "0123456789"
#define SIXTY_FOUR TEN TEN TEN TEN TEN TEN "0123"

static const struct {
    const char *bytes;
    size_t length;
    enum http_sniff expected;
} cases[] = {
    {BYTES(""), HTTP_SNIFF_UNDECIDED},
    {BYTES("\r"), HTTP_SNIFF_UNDECIDED},
    {BYTES("\r\n"), HTTP_SNIFF_UNDECIDED},
    {BYTES("G"), HTTP_SNIFF_UNDECIDED},
    {BYTES("GET"), HTTP_SNIFF_UNDECIDED},
    {BYTES("GET /index.html HTTP/1."), HTTP_SNIFF_UNDECIDED},
    {BYTES("GET / HTTP/1.1\r"), HTTP_SNIFF_UNDECIDED},
    {BYTES("GET / HTTP/1.1\r\n"), HTTP_SNIFF_REQUEST},
    {BYTES("GET / HTTP/1.0\n"), HTTP_SNIFF_REQUEST},
    {BYTES("\r\n\r\nPOST /a HTTP/1.1\r\nHo"), HTTP_SNIFF_REQUEST},
    {BYTES("get  /\tHTTP/1.1\r\n"), HTTP_SNIFF_REQUEST},
    {BYTES("x * HTTP/1.7\r\n"), HTTP_SNIFF_REQUEST},
    {BYTES(SIXTY_FOUR), HTTP_SNIFF_UNDECIDED},
    {BYTES(SIXTY_FOUR " / HTTP/1.1\r\n"), HTTP_SNIFF_REQUEST},
    {BYTES(SIXTY_FOUR "4"), HTTP_SNIFF_OTHER},
    {BYTES("H"), HTTP_SNIFF_UNDECIDED},
    {BYTES("HTTP/1."), HTTP_SNIFF_UNDECIDED},
    {BYTES("HTTP/1.1 20"), HTTP_SNIFF_UNDECIDED},
    {BYTES("HTTP/1.1 200"), HTTP_SNIFF_UNDECIDED},
    {BYTES("HTTP/1.1 200 "), HTTP_SNIFF_RESPONSE},
    {BYTES("HTTP/1.0 404\r"), HTTP_SNIFF_RESPONSE},
    {BYTES("HTTP/1.1 200\n"), HTTP_SNIFF_RESPONSE},
    {BYTES("\r\nHTTP/1.1 200 OK"), HTTP_SNIFF_RESPONSE},
    {BYTES("HTTP/2.0 200 OK\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("HTTP/1.1 099 x\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("HTTP/1.1 2000\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("HTTP/1.x 200\r\n"), HTTP_SNIFF_OTHER},
    /* like a status line's beginning, yet a method */
    {BYTES("HTTP / HTTP/1.1\r\n"), HTTP_SNIFF_REQUEST},
    /* HTTP/0.9 */
    {BYTES("GET /\r\n"), HTTP_SNIFF_HTTP09},
    {BYTES("GET /index.html\n"), HTTP_SNIFF_HTTP09},
    {BYTES("GET /index.html\r\nmore"), HTTP_SNIFF_HTTP09},
    {BYTES("GET /index.html"), HTTP_SNIFF_UNDECIDED},
    {BYTES("GET /a b\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("GET index.html\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("GET \r\n"), HTTP_SNIFF_OTHER},
    {BYTES("POST /index.html\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("GET /index.html HTTP/1.10\r\n"), HTTP_SNIFF_OTHER},
    /* what else is spoken over TCP */
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("PRI * "), HTTP_SNIFF_UNDECIDED},
    {BYTES("\x16\x03\x01\x02\x00\x01"), HTTP_SNIFF_OTHER},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("220 mail.example ESMTP\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("EHLO mail.example\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("*1\r\n$4\r\nPING\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("get key\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("OPTIONS rtsp://h/ RTSP/1.0\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("INVITE sip:a@b SIP/2.0\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("ICY 200 OK\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("\x00\x00\x00\x08\x04\xd2\x16\x2f"), HTTP_SNIFF_OTHER},
    {BYTES("<?xml version=\"1.0\"?>"), HTTP_SNIFF_OTHER},
    {BYTES("{\"a\":1}\n"), HTTP_SNIFF_OTHER},
    {BYTES(" GET / HTTP/1.1\r\n"), HTTP_SNIFF_OTHER},
    {BYTES("\rGET / HTTP/1.1\r\n"), HTTP_SNIFF_OTHER},
};

static void test_first_bytes(void **state)
{
    (void)state;
    struct guarded memory;
    guarded_init(&memory, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *bytes = guarded_copy(&memory, cases[i].bytes, cases[i].length);
        if (http_sniff(bytes, cases[i].length) != cases[i].expected)
            print_error("case %zu: %s\n", i, cases[i].bytes);
        assert_int_equal(http_sniff(bytes, cases[i].length), cases[i].expected);
    }
    guarded_fini(&memory);
    assert_int_equal(http_sniff(NULL, 0), HTTP_SNIFF_UNDECIDED);
}

/* More bytes never change what was decided. */
static void test_decisions_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum http_sniff decided = HTTP_SNIFF_UNDECIDED;
        for (size_t length = 0; length <= cases[i].length; length++) {
            enum http_sniff now = http_sniff(cases[i].bytes, length);
            if (decided != HTTP_SNIFF_UNDECIDED)
                assert_int_equal(now, decided);
            decided = now;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_bytes),
        cmocka_unit_test(test_decisions_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
