#include "agent/exchange/trace_context.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LONG_ID "0af7651916cd43dd8448eb211c80319c"
#define SHORT_ID "463ac35c9f6413ad"
#define SPAN_ID "b7ad6b7169203331"

/* "trace id/parent span id/sampling" of a request with these field lines: "-/-/?" for nothing. */
static const char *found_in(const char *fields)
{
    static char text[128];
    static const char samplings[] = {
        [EXCHANGE_SAMPLING_OPEN] = '?', [EXCHANGE_NOT_SAMPLED] = '0', [EXCHANGE_SAMPLED] = '1'};
    char head[512];
    char parent[20] = "-";
    int length = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n\r\n", fields);
    struct http_head parsed;
    struct trace_context context;
    size_t scanned = 0;
    assert_int_equal(http_request_head_parse(head, (size_t)length, &scanned, &parsed), HTTP_DONE);
    trace_context_find(&parsed, &context);
    if (context.parent_span_id != 0) {
        snprintf(parent, sizeof(parent), "%016" PRIx64, context.parent_span_id);
    }
    snprintf(text, sizeof(text), "%.*s/%s/%c",
             context.trace_id_length > 0 ? (int)context.trace_id_length : 1,
             context.trace_id_length > 0 ? context.trace_id : "-", parent,
             samplings[context.sampling]);
    return text;
}

static void assert_none(const char *name, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char field[200];
        snprintf(field, sizeof(field), "%s: %s", name, values[i]);
        if (strcmp(found_in(field), "-/-/?") != 0) {
            fail_msg("%s was read as %s", field, found_in(field));
        }
    }
}
#define ASSERT_NONE(name, values) assert_none(name, values, sizeof(values) / sizeof((values)[0]))

static void test_traceparent(void **state)
{
    (void)state;
    assert_string_equal(found_in("traceparent: 00-" LONG_ID "-" SPAN_ID "-01"),
                        LONG_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("traceparent: 00-" LONG_ID "-" SPAN_ID "-00"),
                        LONG_ID "/" SPAN_ID "/0");
    /* Flags that are not defined yet change nothing. */
    assert_string_equal(found_in("traceparent: 00-" LONG_ID "-" SPAN_ID "-fe"),
                        LONG_ID "/" SPAN_ID "/0");
    assert_string_equal(found_in("traceparent:  00-" LONG_ID "-00000000000000a1-03 "),
                        LONG_ID "/00000000000000a1/1");
    /* A later version may have more behind what this one knows. */
    assert_string_equal(found_in("Traceparent:cc-" LONG_ID "-" SPAN_ID "-01-more"),
                        LONG_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("traceparent: 01-" LONG_ID "-" SPAN_ID "-01"),
                        LONG_ID "/" SPAN_ID "/1");
}

static void test_traceparent_malformed(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "00",
        "00-",
        "00-" LONG_ID,
        "00-" LONG_ID "-" SPAN_ID,                                     /* no flags */
        "00-" LONG_ID "-" SPAN_ID "-",                                 /* neither */
        "00-" LONG_ID "-" SPAN_ID "-1",                                /* half of them */
        "00-" LONG_ID "-" SPAN_ID "-0g",                               /* not hexadecimal */
        "00-" LONG_ID "-" SPAN_ID "-01-more",                          /* version 00 ends here */
        "00-" LONG_ID "-" SPAN_ID "-011",                              /* so it does */
        "01-" LONG_ID "-" SPAN_ID "-01more",                           /* a dash would follow */
        "ff-" LONG_ID "-" SPAN_ID "-01",                               /* no version */
        "0-" LONG_ID "-" SPAN_ID "-001",                               /* half of one */
        "0x-" LONG_ID "-" SPAN_ID "-01",                               /* not hexadecimal */
        "00_" LONG_ID "-" SPAN_ID "-01",                               /* no dash */
        "00-" LONG_ID "0-" SPAN_ID "-01",                              /* too long an id */
        "00-0af7651916cd43dd8448eb211c80319-" SPAN_ID "-01-",          /* too short */
        "00-" SHORT_ID "-" SPAN_ID "-01-0123456789abcdef",             /* half as long */
        "00-00000000000000000000000000000000-" SPAN_ID "-01",          /* means: none */
        "00-0af7651916cd43dd8448eb211c80319g-" SPAN_ID "-01",          /* not hexadecimal */
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN_ID "-01",          /* not lower case */
        "00-" LONG_ID "-B7AD6B7169203331-01",                          /* nor here */
        "00-" LONG_ID "-0000000000000000-01",                          /* means: none */
        "00-" LONG_ID "-b7ad6b716920333-01-",                          /* too short */
        "00-" LONG_ID "-b7ad6b71692033310-1",                          /* too long */
        "00-" LONG_ID "-b7ad6b716920333z-01",                          /* not hexadecimal */
        "00-" LONG_ID " " SPAN_ID "-01",                               /* no dash */
        "00-" LONG_ID "-" SPAN_ID " 01",                               /* nor here */
        "00-" LONG_ID "-" SPAN_ID "-01,00-" LONG_ID "-" SPAN_ID "-01", /* two */
    };
    ASSERT_NONE("traceparent", values);
}

static void test_b3(void **state)
{
    (void)state;
    assert_string_equal(found_in("b3: " LONG_ID "-" SPAN_ID "-1"), LONG_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("b3: " LONG_ID "-" SPAN_ID "-0"), LONG_ID "/" SPAN_ID "/0");
    assert_string_equal(found_in("b3: " SHORT_ID "-" SPAN_ID "-d-05e3ac9a4f6e3b90"),
                        SHORT_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("b3: " LONG_ID "-" SPAN_ID), LONG_ID "/" SPAN_ID "/?");
    assert_string_equal(found_in("b3: 463AC35C9F6413AD-B7AD6B7169203331-1"),
                        SHORT_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("b3: 0"), "-/-/0"); /* only the decision */
    assert_string_equal(found_in("b3: 1"), "-/-/1");
}

static void test_b3_malformed(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "2",
        LONG_ID,
        LONG_ID "-",
        LONG_ID "-" SPAN_ID "-",
        LONG_ID "-" SPAN_ID "-2",
        LONG_ID "-" SPAN_ID "-1-",
        LONG_ID "-" SPAN_ID "-1-05e3ac9a4f6e3b9",
        LONG_ID "-" SPAN_ID "-1-05e3ac9a4f6e3b90-",
        LONG_ID "-" SPAN_ID "-11",
        LONG_ID "-" SPAN_ID "_1",
        LONG_ID "-0000000000000000-1",
        LONG_ID "-1-1",
        LONG_ID "0-" SPAN_ID "-1",
        "463ac35c9f6413a-" SPAN_ID "-1",
        "0000000000000000-" SPAN_ID "-1",
        "g63ac35c9f6413ad-" SPAN_ID "-1",
    };
    ASSERT_NONE("b3", values);
}

static void test_b3_fields(void **state)
{
    (void)state;
    assert_string_equal(found_in("X-B3-TraceId: " LONG_ID), LONG_ID "/-/?");
    assert_string_equal(
        found_in("x-b3-traceid: 463AC35C9F6413AD\r\nX-B3-SpanId: " SPAN_ID "\r\nX-B3-Sampled: 1"),
        SHORT_ID "/" SPAN_ID "/1");
    assert_string_equal(
        found_in("X-B3-Sampled: false\r\nX-B3-SpanId: " SPAN_ID "\r\nX-B3-TraceId: " LONG_ID),
        LONG_ID "/" SPAN_ID "/0");
    assert_string_equal(found_in("X-B3-Sampled: true\r\nX-B3-TraceId: " LONG_ID), LONG_ID "/-/1");
    assert_string_equal(found_in("X-B3-Sampled: maybe\r\nX-B3-TraceId: " LONG_ID), LONG_ID "/-/?");
    assert_string_equal(found_in("X-B3-Sampled: 0"), "-/-/0");
    assert_string_equal(found_in("X-B3-SpanId: " SPAN_ID), "-/-/?");
    static const char *const ids[] = {"463ac35c9f6413a", SHORT_ID "-x", "0000000000000000", "",
                                      LONG_ID "0"};
    ASSERT_NONE("X-B3-TraceId", ids);
    /* A parent that cannot be read makes the whole doubtful. */
    static const char *const parents[] = {"", "b7ad6b716920333", "0000000000000000", SPAN_ID "0"};
    ASSERT_NONE("X-B3-TraceId: " LONG_ID "\r\nX-B3-SpanId", parents);
}

static void test_uber(void **state)
{
    (void)state;
    assert_string_equal(found_in("uber-trace-id: " LONG_ID ":" SPAN_ID ":0:1"),
                        LONG_ID "/" SPAN_ID "/1");
    assert_string_equal(found_in("uber-trace-id: " SHORT_ID ":1:0:0"),
                        SHORT_ID "/0000000000000001/0");
    /* Jaeger drops leading zeros. */
    assert_string_equal(found_in("uber-trace-id: abc:1:0:1"),
                        "0000000000000abc/0000000000000001/1");
    assert_string_equal(found_in("uber-trace-id: 1463ac35c9f6413ad:AB::03"),
                        "0000000000000001463ac35c9f6413ad/00000000000000ab/1");
    static const char *const values[] = {
        "",
        ":",
        ":1:0:1",
        "0:1:0:1",
        "abc",
        "abc:",
        "abc:1",
        "abc:1:0",
        "abc::0:1",
        "abc:0:0:1",
        "abc:1:0:",
        "abc:1:0:1:",
        "abc:1:0:123",
        "abc:x:0:1",
        "abc:1:x:1",
        "abc:1:0:x",
        "0af7651916cd43dd8448eb211c80319c0:1:0:1",
        "abc:12345678901234567:0:1",
    };
    ASSERT_NONE("uber-trace-id", values);
}

static void test_the_standard_comes_first(void **state)
{
    (void)state;
    assert_string_equal(found_in("X-B3-TraceId: " SHORT_ID "\r\nb3: 80f198ee56343ba8-" SPAN_ID
                                 "\r\ntraceparent: 00-" LONG_ID "-00f067aa0ba902b7-01"),
                        LONG_ID "/00f067aa0ba902b7/1");
    assert_string_equal(found_in("uber-trace-id: abc:1:0:1\r\nX-B3-TraceId: " SHORT_ID),
                        SHORT_ID "/-/?");
    /* What is malformed neither hides what is not, nor leaves anything behind. */
    assert_string_equal(found_in("traceparent: 00-" LONG_ID "-" SPAN_ID "-zz\r\n"
                                 "X-B3-TraceId: " SHORT_ID),
                        SHORT_ID "/-/?");
    assert_string_equal(found_in("Host: a"), "-/-/?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_traceparent_malformed),
        cmocka_unit_test(test_b3),
        cmocka_unit_test(test_b3_malformed),
        cmocka_unit_test(test_b3_fields),
        cmocka_unit_test(test_uber),
        cmocka_unit_test(test_the_standard_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
