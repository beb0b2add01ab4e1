#include "agent/exchange/trace_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LONG_ID "0af7651916cd43dd8448eb211c80319c"
#define SHORT_ID "463ac35c9f6413ad"

/* The id that a request with these field lines carries; "" for none. */
static const char *found_in(const char *fields)
{
    static char id[TRACE_ID_LENGTH + 1];
    char head[512];
    int length = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n\r\n", fields);
    struct http_head parsed;
    size_t scanned = 0;
    assert_int_equal(http_request_head_parse(head, (size_t)length, &scanned, &parsed), HTTP_DONE);
    size_t found = trace_id_find(&parsed, id);
    id[found] = '\0';
    return id;
}

static void test_traceparent(void **state)
{
    (void)state;
    assert_string_equal(found_in("traceparent: 00-" LONG_ID "-b7ad6b7169203331-01"), LONG_ID);
    assert_string_equal(found_in("Traceparent:cc-" LONG_ID "-b7ad6b7169203331-01-more"), LONG_ID);
    assert_string_equal(found_in("traceparent: 00-0AF7651916CD43DD8448EB211C80319C-b7-01"),
                        LONG_ID);
}

static void test_traceparent_malformed(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "00",
        "00-",
        "00-" LONG_ID,                                         /* nothing behind it */
        "00-" LONG_ID "0-b7ad6b7169203331-01",                 /* too long */
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331", /* too short */
        "00-" SHORT_ID "-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", /* means: none */
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "0-" LONG_ID "-b7ad6b7169203331-01",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char field[160];
        snprintf(field, sizeof(field), "traceparent: %s", values[i]);
        assert_string_equal(found_in(field), "");
    }
}

static void test_b3(void **state)
{
    (void)state;
    assert_string_equal(found_in("b3: " LONG_ID "-b7ad6b7169203331-1"), LONG_ID);
    assert_string_equal(found_in("b3: " SHORT_ID "-b7ad6b7169203331-1-05e3ac9a4f6e3b90"), SHORT_ID);
    assert_string_equal(found_in("b3: 0"), ""); /* only the decision not to sample */
    assert_string_equal(found_in("b3: " LONG_ID), "");
    assert_string_equal(found_in("X-B3-TraceId: " LONG_ID), LONG_ID);
    assert_string_equal(found_in("x-b3-traceid: 463AC35C9F6413AD"), SHORT_ID);
    assert_string_equal(found_in("X-B3-TraceId: 463ac35c9f6413a"), "");
    assert_string_equal(found_in("X-B3-TraceId: " SHORT_ID "-x"), "");
    assert_string_equal(found_in("X-B3-TraceId: 0000000000000000"), "");
}

/* Jaeger drops leading zeros. */
static void test_uber(void **state)
{
    (void)state;
    assert_string_equal(found_in("uber-trace-id: " LONG_ID ":b7ad6b7169203331:0:1"), LONG_ID);
    assert_string_equal(found_in("uber-trace-id: " SHORT_ID ":1:0:1"), SHORT_ID);
    assert_string_equal(found_in("uber-trace-id: abc:1:0:1"), "0000000000000abc");
    assert_string_equal(found_in("uber-trace-id: 1463ac35c9f6413ad:1:0:1"), "000000000000000"
                                                                            "1463ac35c9f6413ad");
    assert_string_equal(found_in("uber-trace-id: 0:1:0:1"), "");
    assert_string_equal(found_in("uber-trace-id: abc"), "");
    assert_string_equal(found_in("uber-trace-id: :1:0:1"), "");
    assert_string_equal(found_in("uber-trace-id: " LONG_ID "0:1:0:1"), "");
}

static void test_the_standard_comes_first(void **state)
{
    (void)state;
    assert_string_equal(found_in("X-B3-TraceId: " SHORT_ID "\r\nb3: 80f198ee56343ba8-1-1\r\n"
                                 "traceparent: 00-" LONG_ID "-b7ad6b7169203331-01"),
                        LONG_ID);
    assert_string_equal(found_in("uber-trace-id: abc:1:0:1\r\nX-B3-TraceId: " SHORT_ID), SHORT_ID);
    /* what is malformed does not hide what is not */
    assert_string_equal(found_in("traceparent: 00-x\r\nb3: " SHORT_ID "-1-1"), SHORT_ID);
    assert_string_equal(found_in("Host: a"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_traceparent_malformed),
        cmocka_unit_test(test_b3),
        cmocka_unit_test(test_uber),
        cmocka_unit_test(test_the_standard_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
