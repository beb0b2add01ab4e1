#include "agent/exchange/tls_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
#define BYTES(literal) literal, sizeof(literal) - 1

/* Type, length and version of a hello, its random and session id, ciphers and compression. */
#define HELLO(record, hello, extensions)                                                           \
    "\x16\x03\x01" record "\x01\x00" hello "\x03\x03" RANDOM                                       \
    "\x02id\x00\x02\x13\x01\x01\x00" extensions
#define NAMED                                                                                      \
    HELLO("\x00\x4c", "\x00\x48",                                                                  \
          "\x00\x1b\x00\x17\x00\x00" /* an empty extension in front */                             \
          "\x00\x00\x00\x13\x00\x11\x00\x00\x0eshop_1.Example")

static const struct {
    const char *bytes;
    size_t length;
    const char *name; /* NULL: none */
} hellos[] = {
    {BYTES(NAMED), "shop_1.Example"},
    {BYTES(NAMED "what follows"), "shop_1.Example"},
    /* a name of another type in front of the host's */
    {BYTES(HELLO("\x00\x43", "\x00\x3f",
                 "\x00\x12\x00\x00\x00\x0e\x00\x0c\x01\x00\x02no\x00\x00\x04host")),
     "host"},
    /* no extensions; none that names a server; an empty name; bytes of no host's name */
    {BYTES(HELLO("\x00\x2f", "\x00\x2b", "")), NULL},
    {BYTES(HELLO("\x00\x35", "\x00\x31", "\x00\x04\x00\x17\x00\x00")), NULL},
    {BYTES(HELLO("\x00\x3a", "\x00\x36", "\x00\x09\x00\x00\x00\x05\x00\x03\x00\x00\x00")), NULL},
    {BYTES(HELLO("\x00\x3d", "\x00\x39",
                 "\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x03"
                 "a\x1b[")),
     NULL},
    /* lengths that lead out of the hello */
    {BYTES(HELLO("\x00\x3d", "\x00\x39", "\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x09host")),
     NULL},
    {BYTES(HELLO("\x00\x3d", "\x00\x39",
                 "\x00\x0c\x00\x00\x00\xff\x00\x06\x00\x00\x03"
                 "abc")),
     NULL},
    /* a server hello; another content; another version; no length; too long a record */
    {BYTES("\x16\x03\x03\x00\x04\x02\x00\x00\x00"), NULL},
    {BYTES("\x17\x03\x03\x00\x04\x01\x00\x00\x00"), NULL},
    {BYTES("\x16\x02\x01\x00\x04\x01\x00\x00\x00"), NULL},
    {BYTES("\x16\x03\x05\x00\x04\x01\x00\x00\x00"), NULL},
    {BYTES("\x16\x03\x01\x00\x00\x01\x00\x00\x00"), NULL},
    {BYTES("\x16\x03\x01\x48\x01\x01\x00\x00\x00"), NULL},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        struct slice name = {0};
        char *copy = malloc(hellos[i].length);
        memcpy(copy, hellos[i].bytes, hellos[i].length);
        enum tls_hello found = tls_hello_name(copy, hellos[i].length, &name);
        assert_int_equal(found, hellos[i].name != NULL ? TLS_HELLO_NAME : TLS_HELLO_NONE);
        if (hellos[i].name != NULL) {
            assert_int_equal(name.length, strlen(hellos[i].name));
            assert_memory_equal(name.data, hellos[i].name, name.length);
        }
        free(copy);
    }
}

/* A hello in several segments is waited for once its record says how long it is. */
static void test_every_beginning(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(NAMED) - 1; length++) {
        struct slice name = {0};
        char *copy = malloc(length + 1);
        memcpy(copy, NAMED, length);
        char *end = realloc(copy, length > 0 ? length : 1);
        enum tls_hello found = tls_hello_name(end, length, &name);
        assert_int_equal(found, length == 0 ? TLS_HELLO_NONE : TLS_HELLO_INCOMPLETE);
        assert_int_equal(tls_is_record(end, length), length >= 5);
        free(end);
    }
}

static void test_records(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        char record[] = {(char)type, 3, 3, 0, 1};
        assert_int_equal(tls_is_record(record, sizeof(record)), type >= 20 && type <= 23);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
