#include "agent/base/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_ipv4_is_mapped(void **state)
{
    (void)state;
    static const uint8_t bytes[4] = {192, 0, 2, 1};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
    struct address address = address_from_ipv4(bytes);
    assert_memory_equal(address.bytes, mapped, sizeof(mapped));
    assert_true(address_is_ipv4(&address));
    struct address same = address_from_ipv6(mapped);
    assert_true(address_equal(&address, &same));
}

static void test_ipv6_is_kept(void **state)
{
    (void)state;
    static const uint8_t bytes[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
    struct address address = address_from_ipv6(bytes);
    assert_memory_equal(address.bytes, bytes, sizeof(bytes));
    assert_false(address_is_ipv4(&address));
    /* IPv4-compatible, deprecated: not the mapped form. */
    static const uint8_t compatible[16] = {[12] = 192, [14] = 2, [15] = 1};
    address = address_from_ipv6(compatible);
    assert_false(address_is_ipv4(&address));
}

static void test_equal_looks_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < 16; i++) {
        struct address a = {{0}};
        struct address b = {{0}};
        assert_true(address_equal(&a, &b));
        b.bytes[i] = 1;
        assert_false(address_equal(&a, &b));
    }
}

static void test_text_round_trip(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"10.0.0.1", "10.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"0.0.0.0", "0.0.0.0"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"fe80::1:0:0:1", "fe80::1:0:0:1"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address;
        char text[ADDRESS_TEXT_SIZE];
        assert_int_equal(address_parse(cases[i][0], &address), 0);
        assert_int_equal(address_format(&address, text), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
    }
}

static void test_bad_text(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",    " 10.0.0.1", "10.0.0.1 ", "10.0.0",       "10.0.0.256", "10.0.0.1/8",
        ":::", "1::2::3",   "[::1]",     "fe80::1%eth0", "10.0.0.01x", "localhost",
        "1:2", "::g",       "1.2.3.4.5", "-1.0.0.0",     "0x7f.0.0.1",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address;
        struct address untouched;
        memset(&address, 0x5a, sizeof(address));
        memset(&untouched, 0x5a, sizeof(untouched));
        assert_int_equal(address_parse(cases[i], &address), -EINVAL);
        assert_true(address_equal(&address, &untouched));
    }
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        uint16_t port;
        const char *text;
    } cases[] = {
        {"10.0.0.1", 80, "10.0.0.1:80"},
        {"::1", 0, "[::1]:0"},
        {"2001:db8::1", 65535, "[2001:db8::1]:65535"},
        {"255.255.255.255", 65535, "255.255.255.255:65535"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint endpoint = {.port = cases[i].port};
        char text[ENDPOINT_TEXT_SIZE];
        assert_int_equal(address_parse(cases[i].address, &endpoint.address), 0);
        assert_int_equal(endpoint_format(&endpoint, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void test_longest_text_fits(void **state)
{
    (void)state;
    uint8_t bytes[16];
    memset(bytes, 0xee, sizeof(bytes));
    struct endpoint endpoint = {address_from_ipv6(bytes), 65535};
    char text[ENDPOINT_TEXT_SIZE];
    size_t length = endpoint_format(&endpoint, text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "[eeee:eeee:eeee:eeee:eeee:eeee:eeee:eeee]:65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4_is_mapped),
        cmocka_unit_test(test_ipv6_is_kept),
        cmocka_unit_test(test_equal_looks_at_every_byte),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_longest_text_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
