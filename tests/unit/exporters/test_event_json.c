#include "exporters/events/event_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UNKNOWN_NUMBERS                                                                            \
    .request_body_bytes = RECORD_UNKNOWN, .response_body_bytes = RECORD_UNKNOWN,                   \
    .request_ns = RECORD_UNKNOWN, .server_ns = RECORD_UNKNOWN, .response_ns = RECORD_UNKNOWN,      \
    .duration_ns = RECORD_UNKNOWN, .connect_ns = RECORD_UNKNOWN

static void expect(const struct exchange_record *record, const char *expected)
{
    struct byte_writer out;
    byte_writer_init(&out);
    event_json_append(record, &out);
    byte_writer_byte(&out, '\0');
    assert_false(out.failed);
    assert_string_equal(out.data, expected);
    byte_writer_fini(&out);
}

/* The line of the contract, key by key. */
static void test_everything_known(void **state)
{
    (void)state;
    static const uint16_t interim[] = {100, 103};
    const struct exchange_record record = {
        .time_ns = 1769860800000000001,
        .side = text_of("server"),
        .client = text_of("10.0.0.1:40312"),
        .server = text_of("10.0.0.2:80"),
        .client_namespace = text_of("shop"),
        .client_service = text_of("gateway"),
        .server_namespace = text_of("shop"),
        .server_service = text_of("orders"),
        .method = text_of("GET"),
        .target = text_of("/a?b=1"),
        .route = text_of("/a"),
        .host = text_of("shop"),
        .user_agent = text_of("curl/8"),
        .trace_id = text_of("0af7651916cd43dd8448eb211c80319c"),
        .version = text_of("1.1"),
        .outcome = text_of("complete"),
        .status = 200,
        .interim = interim,
        .interim_count = 2,
        .ambiguous = true,
        .request_body_bytes = 0,
        .response_body_bytes = 612,
        .request_ns = 0,
        .server_ns = 812345,
        .response_ns = 1200,
        .duration_ns = 813545,
        .connect_ns = 40100,
    };
    expect(&record,
           "{\"time\":\"2026-01-31T12:00:00.000000001Z\",\"side\":\"server\","
           "\"client\":\"10.0.0.1:40312\",\"server\":\"10.0.0.2:80\",\"method\":\"GET\","
           "\"target\":\"/a?b=1\",\"route\":\"/a\",\"host\":\"shop\",\"version\":\"1.1\","
           "\"status\":200,\"outcome\":\"complete\",\"ambiguous\":true,\"request_body_bytes\":0,"
           "\"response_body_bytes\":612,\"interim\":[100,103],\"request_ns\":0,"
           "\"server_ns\":812345,\"response_ns\":1200,\"duration_ns\":813545,\"connect_ns\":40100,"
           "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"client_namespace\":\"shop\","
           "\"client_service\":\"gateway\",\"server_namespace\":\"shop\","
           "\"server_service\":\"orders\",\"user_agent\":\"curl/8\"}\n");
}

static void test_unknown_is_absent(void **state)
{
    (void)state;
    const struct exchange_record record = {.side = text_of("client"),
                                           .client = text_of("[2001:db8::1]:1"),
                                           .server = text_of("10.0.0.2:80"),
                                           .outcome = text_of("response_only"),
                                           .reason = text_of("midstream"),
                                           UNKNOWN_NUMBERS};
    expect(&record, "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"side\":\"client\","
                    "\"client\":\"[2001:db8::1]:1\",\"server\":\"10.0.0.2:80\","
                    "\"outcome\":\"response_only\",\"reason\":\"midstream\"}\n");
}

/* Known and empty is not unknown. */
static void test_empty_is_present(void **state)
{
    (void)state;
    const struct exchange_record record = {.host = text_of(""), UNKNOWN_NUMBERS};
    expect(&record, "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"host\":\"\"}\n");
}

static void test_escapes(void **state)
{
    (void)state;
    const struct exchange_record record = {
        .target = {"/\"\\\n\x01\x7f\0\xff\xc3\xa9\xed\xa0\x80", 13}, UNKNOWN_NUMBERS};
    expect(&record, "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"target\":\"/\\\"\\\\\\u000a"
                    "\\u0001\\u007f\\u0000\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd"
                    "\xef\xbf\xbd\"}\n");
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ns;
        const char *text;
    } cases[] = {
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {-1000000000, "1969-12-31T23:59:59.000000000Z"},
        {1709164800123456789, "2024-02-29T00:00:00.123456789Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct exchange_record record = {.time_ns = cases[i].time_ns, UNKNOWN_NUMBERS};
        char expected[64] = "{\"time\":\"";
        strcat(expected, cases[i].text);
        strcat(expected, "\"}\n");
        expect(&record, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_known),
        cmocka_unit_test(test_unknown_is_absent),
        cmocka_unit_test(test_empty_is_present),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
