#include "agent/exchange/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
    const char *name;
    const char *bytes;
    size_t length;
} first_bytes[] = {
    {"tls", BYTES("\x16\x03\x01\x00\xc0\x01\x00\x00\xbc\x03\x03")},
    {"http2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
    {"ssh", BYTES("SSH-2.0-OpenSSH_9.2\r\n")},
    {"amqp", BYTES("AMQP\x00\x00\x09\x01")},
    {"postgresql", BYTES("\x00\x00\x00\x29\x00\x03\x00\x00user\0")},
    {"postgresql", BYTES("\x00\x00\x00\x08\x04\xd2\x16\x2f")},
    {"mysql", BYTES("\x4a\x00\x00\x00\x0a"
                    "8.0.36")},
    {"mongodb", BYTES("\x3a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00")},
    {"redis", BYTES("*2\r\n$4\r\nLLEN\r\n")},
    {"nats", BYTES("INFO {\"server_id\":\"x\"}\r\n")},
    {"smtp", BYTES("220 mail.example ESMTP\r\n")},
    {"mqtt", BYTES("\x10\x10\x00\x04MQTT\x04\x02")},
    {"kafka", BYTES("\x00\x00\x00\x23\x00\x12\x00\x03\x00\x00\x00\x01")},
    {"unknown", BYTES("hello, this is no protocol that anybody knows")},
    {"unknown", BYTES("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0")},
    {"unknown", BYTES("\x15\x03\x01\x00\x02\x02\x28\x15\x03\x01\x00\x02\x02\x28\x00\x00")},
};

static void test_first_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(first_bytes) / sizeof(first_bytes[0]); i++) {
        const char *name = protocol_name(first_bytes[i].bytes, first_bytes[i].length);
        assert_non_null(name);
        assert_string_equal(name, first_bytes[i].name);
    }
}

/* However few bytes come first, the name is the same or is not given yet. */
static void test_fewer_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(first_bytes) / sizeof(first_bytes[0]); i++) {
        for (size_t length = 0; length < first_bytes[i].length; length++) {
            const char *name = protocol_name(first_bytes[i].bytes, length);
            if (name != NULL) {
                assert_string_equal(name, first_bytes[i].name);
            }
        }
    }
}

/* Whatever the bytes are, enough of them have a name. */
static void test_always_decided(void **state)
{
    (void)state;
    char bytes[64];
    for (int first = 0; first < 256; first++) {
        memset(bytes, first, sizeof(bytes));
        assert_non_null(protocol_name(bytes, 32));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_bytes),
        cmocka_unit_test(test_fewer_bytes),
        cmocka_unit_test(test_always_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
