#include "exporters/events/event_protobuf.h"

#include "exporters/proto/vethscope/v1/exchange.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UNKNOWN_NUMBERS                                                                            \
    .request_body_bytes = RECORD_UNKNOWN, .response_body_bytes = RECORD_UNKNOWN,                   \
    .request_ns = RECORD_UNKNOWN, .server_ns = RECORD_UNKNOWN, .response_ns = RECORD_UNKNOWN,      \
    .duration_ns = RECORD_UNKNOWN, .connect_ns = RECORD_UNKNOWN

static struct event_protobuf events;
static struct byte_writer out;

static int setup(void **state)
{
    (void)state;
    event_protobuf_init(&events);
    byte_writer_init(&out);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    event_protobuf_fini(&events);
    byte_writer_fini(&out);
    return 0;
}

/* Takes the next message from `out`, moving `*at` behind it. */
static Vethscope__V1__Exchange *next_message(size_t *at)
{
    uint64_t size = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        assert_true(*at < out.length);
        byte = (uint8_t)out.data[(*at)++];
        size |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    assert_true(size <= out.length - *at);
    Vethscope__V1__Exchange *message =
        vethscope__v1__exchange__unpack(NULL, size, (const uint8_t *)out.data + *at);
    assert_non_null(message);
    *at += size;
    return message;
}

static void test_everything_known(void **state)
{
    (void)state;
    static const uint16_t interim[] = {100, 103};
    const struct exchange_record record = {
        .time_ns = 1769860800000000001,
        .side = text_of("server"),
        .client = text_of("[2001:db8::1]:40312"),
        .server = text_of("10.0.0.2:80"),
        .client_namespace = text_of("shop"),
        .client_service = text_of("gateway"),
        .server_namespace = text_of("store"),
        .server_service = text_of("orders"),
        .method = text_of("GET"),
        .target = text_of("/a?b=1"),
        .route = text_of("/a"),
        .host = text_of("host"),
        .user_agent = text_of("curl/8"),
        .trace_id = text_of("0af7651916cd43dd8448eb211c80319c"),
        .version = text_of("1.1"),
        .outcome = text_of("truncated_response"),
        .reason = text_of(""),
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
    event_protobuf_append(&events, &record, &out);
    size_t at = 0;
    Vethscope__V1__Exchange *message = next_message(&at);
    assert_int_equal(at, out.length);
    assert_int_equal(message->time_unix_nano, 1769860800000000001);
    assert_int_equal(message->side, VETHSCOPE__V1__SIDE__SIDE_SERVER);
    assert_string_equal(message->client->address, "2001:db8::1");
    assert_int_equal(message->client->port, 40312);
    assert_string_equal(message->client->namespace_, "shop");
    assert_string_equal(message->client->service, "gateway");
    assert_string_equal(message->server->address, "10.0.0.2");
    assert_int_equal(message->server->port, 80);
    assert_string_equal(message->server->namespace_, "store");
    assert_string_equal(message->server->service, "orders");
    assert_string_equal(message->method, "GET");
    assert_string_equal(message->target, "/a?b=1");
    assert_string_equal(message->route, "/a");
    assert_string_equal(message->host, "host");
    assert_string_equal(message->user_agent, "curl/8");
    assert_string_equal(message->protocol_version, "1.1");
    assert_string_equal(message->trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_int_equal(message->status, 200);
    assert_int_equal(message->n_interim_status, 2);
    assert_int_equal(message->interim_status[1], 103);
    assert_int_equal(message->outcome, VETHSCOPE__V1__OUTCOME__OUTCOME_TRUNCATED_RESPONSE);
    assert_int_equal(message->reason, VETHSCOPE__V1__REASON__REASON_UNSPECIFIED);
    assert_true(message->ambiguous);
    assert_int_equal(message->request_body_case,
                     VETHSCOPE__V1__EXCHANGE__REQUEST_BODY_REQUEST_BODY_BYTES);
    assert_int_equal(message->request_body_bytes, 0);
    assert_int_equal(message->response_body_bytes, 612);
    assert_int_equal(message->request_time_case,
                     VETHSCOPE__V1__EXCHANGE__REQUEST_TIME_REQUEST_DURATION_NANO);
    assert_int_equal(message->server_duration_nano, 812345);
    assert_int_equal(message->response_duration_nano, 1200);
    assert_int_equal(message->duration_nano, 813545);
    assert_int_equal(message->connect_duration_nano, 40100);
    vethscope__v1__exchange__free_unpacked(message, NULL);
}

static void test_unknown_is_not_set(void **state)
{
    (void)state;
    const struct exchange_record record = {.outcome = text_of("request_only"),
                                           .reason = text_of("capture_end"),
                                           .side = text_of("client"),
                                           UNKNOWN_NUMBERS};
    event_protobuf_append(&events, &record, &out);
    size_t at = 0;
    Vethscope__V1__Exchange *message = next_message(&at);
    assert_int_equal(message->outcome, VETHSCOPE__V1__OUTCOME__OUTCOME_REQUEST_ONLY);
    assert_int_equal(message->reason, VETHSCOPE__V1__REASON__REASON_CAPTURE_END);
    assert_int_equal(message->side, VETHSCOPE__V1__SIDE__SIDE_CLIENT);
    assert_int_equal(message->status, 0);
    assert_int_equal(message->request_body_case, VETHSCOPE__V1__EXCHANGE__REQUEST_BODY__NOT_SET);
    assert_int_equal(message->response_body_case, VETHSCOPE__V1__EXCHANGE__RESPONSE_BODY__NOT_SET);
    assert_int_equal(message->request_time_case, VETHSCOPE__V1__EXCHANGE__REQUEST_TIME__NOT_SET);
    assert_int_equal(message->server_time_case, VETHSCOPE__V1__EXCHANGE__SERVER_TIME__NOT_SET);
    assert_int_equal(message->response_time_case, VETHSCOPE__V1__EXCHANGE__RESPONSE_TIME__NOT_SET);
    assert_int_equal(message->total_time_case, VETHSCOPE__V1__EXCHANGE__TOTAL_TIME__NOT_SET);
    assert_int_equal(message->connect_time_case, VETHSCOPE__V1__EXCHANGE__CONNECT_TIME__NOT_SET);
    assert_string_equal(message->client->address, "");
    vethscope__v1__exchange__free_unpacked(message, NULL);
}

/* Strings of a message are valid UTF-8, and C readers see no early end in them. */
static void test_strings_are_made_valid(void **state)
{
    (void)state;
    const struct exchange_record record = {
        .method = text_of("\xff"), .target = {"/\0\xc3\xa9\xc3", 5}, UNKNOWN_NUMBERS};
    event_protobuf_append(&events, &record, &out);
    size_t at = 0;
    Vethscope__V1__Exchange *message = next_message(&at);
    assert_string_equal(message->method, "\xef\xbf\xbd");
    assert_string_equal(message->target, "/\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
    vethscope__v1__exchange__free_unpacked(message, NULL);
}

static void test_many_messages_follow_each_other(void **state)
{
    (void)state;
    static char target[20000];
    memset(target, '\xfe', sizeof(target));
    for (uint16_t i = 1; i <= 50; i++) {
        const struct exchange_record record = {
            .target = {target, i % 2 == 0 ? sizeof(target) : 1}, .status = i, UNKNOWN_NUMBERS};
        event_protobuf_append(&events, &record, &out);
    }
    size_t at = 0;
    for (uint16_t i = 1; i <= 50; i++) {
        Vethscope__V1__Exchange *message = next_message(&at);
        assert_int_equal(message->status, i);
        assert_int_equal(strlen(message->target), 3 * (i % 2 == 0 ? sizeof(target) : 1));
        vethscope__v1__exchange__free_unpacked(message, NULL);
    }
    assert_int_equal(at, out.length);
}

static void test_interim_bound(void **state)
{
    (void)state;
    uint16_t interim[EVENT_PROTOBUF_INTERIM_MAX + 1];
    for (size_t i = 0; i <= EVENT_PROTOBUF_INTERIM_MAX; i++) {
        interim[i] = (uint16_t)(100 + i);
    }
    for (size_t i = 0; i < 2; i++) { /* at the bound, and one past it */
        const struct exchange_record record = {
            .interim = interim, .interim_count = EVENT_PROTOBUF_INTERIM_MAX + i, UNKNOWN_NUMBERS};
        event_protobuf_append(&events, &record, &out);
    }
    size_t at = 0;
    for (size_t i = 0; i < 2; i++) {
        Vethscope__V1__Exchange *message = next_message(&at);
        assert_int_equal(message->n_interim_status, EVENT_PROTOBUF_INTERIM_MAX);
        vethscope__v1__exchange__free_unpacked(message, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_is_not_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strings_are_made_valid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_messages_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interim_bound, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
