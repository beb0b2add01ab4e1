#include "exporters/otlp/otlp_span.h"

#include "tests/unit/otlp/messages.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIME 1769860800000000001
#define TRACE "0af7651916cd43dd8448eb211c80319c"

static struct otlp_random ids;
static struct otlp_span writer;
static struct byte_writer out;
static otlp_span_message *message;

static int setup(void **state)
{
    (void)state;
    otlp_random_init(&ids);
    otlp_span_init(&writer, &ids, true);
    byte_writer_init(&out);
    message = NULL;
    return 0;
}

static void forget(void)
{
    opentelemetry__proto__trace__v1__span__free_unpacked(message, NULL);
    message = NULL;
}

static int teardown(void **state)
{
    (void)state;
    forget();
    otlp_span_fini(&writer);
    byte_writer_fini(&out);
    return 0;
}

static struct exchange_record record_of(const char *side)
{
    return (struct exchange_record){.time_ns = TIME,
                                    .side = text_of(side),
                                    .client = text_of("10.0.0.1:40312"),
                                    .server = text_of("[2001:db8::1]:8080"),
                                    .client_service = text_of("front"),
                                    .server_service = text_of("cart"),
                                    .method = text_of("POST"),
                                    .target = text_of("/users/42?full=1"),
                                    .route = text_of("/users/{id}"),
                                    .host = text_of("shop.example:81"),
                                    .user_agent = text_of("curl/8"),
                                    .trace_id = text_of(TRACE),
                                    .parent_span_id = 0xb7ad6b7169203331,
                                    .sampling = RECORD_SAMPLED,
                                    .version = text_of("1.1"),
                                    .outcome = text_of("complete"),
                                    .status = 201,
                                    .request_body_bytes = 5,
                                    .response_body_bytes = 0,
                                    .request_ns = 100,
                                    .server_ns = 2000,
                                    .response_ns = 30000,
                                    .duration_ns = 32100,
                                    .connect_ns = RECORD_UNKNOWN};
}

static void write(const struct exchange_record *record)
{
    forget();
    byte_writer_reset(&out);
    otlp_span_append(&writer, record, &out);
    assert_false(out.failed);
    message =
        opentelemetry__proto__trace__v1__span__unpack(NULL, out.length, (const uint8_t *)out.data);
    assert_non_null(message);
}

static const char *hex(ProtobufCBinaryData data)
{
    static char text[2][40];
    static unsigned turn;
    char *to = text[turn++ % 2];
    to[0] = '\0';
    for (size_t i = 0; i < data.len; i++) {
        snprintf(to + 2 * i, 3, "%02x", data.data[i]);
    }
    return to;
}

/* The attribute's value as text; "" for none. */
static const char *attribute(const char *key)
{
    static char text[64];
    for (size_t i = 0; i < message->n_attributes; i++) {
        const otlp_any_value *value = message->attributes[i]->value;
        if (strcmp(message->attributes[i]->key, key) != 0) {
            continue;
        }
        if (value->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE) {
            return value->string_value;
        }
        snprintf(text, sizeof(text), "#%" PRId64, value->int_value);
        return value->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE
                   ? "true"
                   : text;
    }
    return "";
}

static void test_server(void **state)
{
    (void)state;
    struct exchange_record record = record_of("server");
    write(&record);
    assert_string_equal(message->name, "POST /users/{id}");
    assert_int_equal(message->kind,
                     OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
    assert_string_equal(hex(message->trace_id), TRACE);
    assert_string_equal(hex(message->parent_span_id), "b7ad6b7169203331");
    assert_int_equal(message->span_id.len, 8);
    assert_int_equal(message->flags, 0x301);
    assert_int_equal(message->start_time_unix_nano, TIME);
    assert_int_equal(message->end_time_unix_nano, TIME + 32100);
    assert_null(message->status);
    assert_string_equal(attribute("http.request.method"), "POST");
    assert_string_equal(attribute("url.path"), "/users/42");
    assert_string_equal(attribute("url.query"), "full=1");
    assert_string_equal(attribute("url.scheme"), "http");
    assert_string_equal(attribute("url.full"), "");
    assert_string_equal(attribute("http.route"), "/users/{id}");
    assert_string_equal(attribute("http.response.status_code"), "#201");
    assert_string_equal(attribute("server.address"), "shop.example");
    assert_string_equal(attribute("server.port"), "#81");
    assert_string_equal(attribute("network.peer.address"), "10.0.0.1");
    assert_string_equal(attribute("network.peer.port"), "#40312");
    assert_string_equal(attribute("network.protocol.version"), "1.1");
    assert_string_equal(attribute("user_agent.original"), "curl/8");
    assert_string_equal(attribute("http.request.body.size"), "#5");
    assert_string_equal(attribute("http.response.body.size"), "#0");
    assert_string_equal(attribute("vethscope.client.service"), "front");
    assert_string_equal(attribute("error.type"), "");
    assert_int_equal(message->n_events, 2);
    assert_string_equal(message->events[0]->name, "http.request.end");
    assert_int_equal(message->events[0]->time_unix_nano, TIME + 100);
    assert_string_equal(message->events[1]->name, "http.response.start");
    assert_int_equal(message->events[1]->time_unix_nano, TIME + 2100);
}

static void test_client(void **state)
{
    (void)state;
    struct exchange_record record = record_of("client");
    record.status = 404;
    write(&record);
    assert_int_equal(message->kind,
                     OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT);
    assert_string_equal(attribute("url.full"), "http://shop.example:81/users/42?full=1");
    assert_string_equal(attribute("network.peer.address"), "2001:db8::1");
    assert_string_equal(attribute("network.peer.port"), "#8080");
    assert_string_equal(attribute("vethscope.server.service"), "cart");
    assert_string_equal(attribute("error.type"), "404");
    assert_int_equal(message->status->code,
                     OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
    record.host = (struct text){0};
    write(&record);
    assert_string_equal(attribute("url.full"), "http://[2001:db8::1]:8080/users/42?full=1");
    assert_string_equal(attribute("server.address"), "2001:db8::1");
    assert_string_equal(attribute("server.port"), "#8080");
    record.host = text_of("shop");
    write(&record);
    assert_string_equal(attribute("server.port"), "#80");
    record.target = text_of("*");
    write(&record);
    assert_string_equal(attribute("url.full"), "*");
}

static void test_no_query(void **state)
{
    (void)state;
    struct exchange_record record = record_of("server");
    writer.query = false;
    write(&record);
    assert_string_equal(attribute("url.path"), "/users/42");
    assert_string_equal(attribute("url.query"), "");
    record.side = text_of("client");
    write(&record);
    assert_string_equal(attribute("url.full"), "http://shop.example:81/users/42");
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *side;
        const char *outcome;
        uint16_t status;
        const char *error; /* "" for none */
    } cases[] = {
        {"server", "complete", 499, ""},
        {"server", "complete", 500, "500"},
        {"client", "complete", 399, ""},
        {"client", "complete", 503, "503"},
        {"server", "truncated_response", 200, "truncated_response"},
        {"server", "client_closed", 0, "client_closed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange_record record = record_of(cases[i].side);
        record.outcome = text_of(cases[i].outcome);
        record.status = cases[i].status;
        write(&record);
        assert_string_equal(attribute("error.type"), cases[i].error);
        assert_int_equal(message->status != NULL, cases[i].error[0] != '\0');
        assert_int_equal(attribute("http.response.status_code")[0] != '\0', cases[i].status != 0);
    }
}

/* Without an answer a span ends with what was seen of its request. */
static void test_unknown_times(void **state)
{
    (void)state;
    struct exchange_record record = record_of("server");
    record.outcome = text_of("server_closed");
    record.status = 0;
    record.server_ns = record.response_ns = record.duration_ns = RECORD_UNKNOWN;
    write(&record);
    assert_int_equal(message->end_time_unix_nano, TIME + 100);
    assert_int_equal(message->n_events, 1);
    record.request_ns = RECORD_UNKNOWN;
    write(&record);
    assert_int_equal(message->end_time_unix_nano, TIME);
    assert_int_equal(message->n_events, 0);
}

static void test_existence(void **state)
{
    (void)state;
    struct exchange_record record = record_of("server");
    assert_true(otlp_span_exists(&record));
    record.outcome = text_of("request_only");
    assert_false(otlp_span_exists(&record));
    record.outcome = text_of("response_only");
    assert_false(otlp_span_exists(&record));
    record = record_of("server");
    record.time_ns = RECORD_TIME_UNKNOWN;
    assert_false(otlp_span_exists(&record));
}

static void test_ids(void **state)
{
    (void)state;
    struct exchange_record record = record_of("server");
    record.trace_id = text_of("463ac35c9f6413ad");
    record.sampling = RECORD_NOT_SAMPLED;
    write(&record);
    assert_string_equal(hex(message->trace_id), "0000000000000000463ac35c9f6413ad");
    assert_int_equal(message->flags, 0x300);
    char first[40];
    record.trace_id = (struct text){0};
    record.parent_span_id = 0;
    record.sampling = RECORD_SAMPLING_OPEN;
    write(&record);
    assert_int_equal(message->trace_id.len, 16);
    assert_int_equal(message->parent_span_id.len, 0);
    assert_int_equal(message->flags, 1);
    snprintf(first, sizeof(first), "%s", hex(message->trace_id));
    write(&record);
    assert_string_not_equal(first, hex(message->trace_id));
}

/* Any bytes, as long as they may be: strings are UTF-8 and none of them moves. */
static void test_hostile_texts(void **state)
{
    (void)state;
    static char bytes[70000];
    memset(bytes, 0xff, sizeof(bytes));
    struct text long_text = {bytes, sizeof(bytes)};
    for (unsigned i = 0; i < 2; i++) {
        struct exchange_record record = record_of(i == 0 ? "server" : "client");
        record.method = record.target = record.route = record.host = long_text;
        record.user_agent = record.version = long_text;
        write(&record);
        assert_string_equal(attribute("http.request.method"), "_OTHER");
        assert_int_equal(strlen(attribute("http.request.method_original")), 3 * sizeof(bytes));
        assert_int_equal(strlen(attribute("user_agent.original")), 3 * sizeof(bytes));
        assert_int_equal(strncmp(message->name, "HTTP \xef\xbf\xbd", 8), 0);
    }
    struct exchange_record record = record_of("server");
    record.method = (struct text){"GET\0", 4};
    record.host = text_of("a:99999999999999999999");
    write(&record);
    assert_string_equal(attribute("http.request.method_original"), "GET\xef\xbf\xbd");
    assert_string_equal(attribute("server.address"), "a");
    assert_string_equal(attribute("server.port"), "");
    record = (struct exchange_record){
        .time_ns = TIME, .side = text_of("client"), .outcome = text_of("complete")};
    record.request_ns = record.server_ns = record.response_ns = record.duration_ns = RECORD_UNKNOWN;
    write(&record);
    assert_string_equal(message->name, "HTTP");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server), TEST(test_client),        TEST(test_no_query),
        TEST(test_errors), TEST(test_unknown_times), TEST(test_existence),
        TEST(test_ids),    TEST(test_hostile_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
