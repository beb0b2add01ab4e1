/* The hand-written encoder makes the very bytes that protobuf-c makes, for records of every shape:
 * absent, empty, long, and with bytes that no string of a message may have. */
#include "exporters/events/event_protobuf.h"
#include "tests/unit/exporters/protobuf_reference.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RECORDS 20000
#define TEXT_MAX 300

static uint64_t seed = 0x243f6a8885a308d3U;

static uint64_t draw(uint64_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % bound;
}

/* Mostly ASCII; sometimes any bytes, or nothing. Drawn from a buffer that is filled once a record.
 */
static struct text draw_text(const char *bytes)
{
    static const size_t bounds[] = {1, 9, 40, 140, TEXT_MAX};
    size_t length = draw(bounds[draw(5)]);
    return draw(8) == 0 ? (struct text){0} : (struct text){bytes + draw(TEXT_MAX), length};
}

static struct text draw_word(const char *const *words, size_t count)
{
    size_t i = draw(count + 1);
    return i == count ? (struct text){0} : text_of(words[i]);
}

static uint64_t draw_number(void)
{
    return draw(4) == 0 ? RECORD_UNKNOWN : draw(2) == 0 ? draw(300) : draw(UINT64_MAX) >> draw(64);
}

static void draw_texts(struct exchange_record *record, const char *bytes)
{
    struct text *const texts[] = {&record->client_namespace,
                                  &record->client_service,
                                  &record->client_kind,
                                  &record->client_pod,
                                  &record->client_node,
                                  &record->server_namespace,
                                  &record->server_service,
                                  &record->server_kind,
                                  &record->server_pod,
                                  &record->server_node,
                                  &record->called_namespace,
                                  &record->called_service,
                                  &record->method,
                                  &record->target,
                                  &record->route,
                                  &record->host,
                                  &record->user_agent,
                                  &record->version,
                                  &record->trace_id};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i] = draw_text(bytes);
    }
}

static struct exchange_record draw_record(char bytes[static 2 * TEXT_MAX],
                                          uint16_t interim[static EVENT_PROTOBUF_INTERIM_MAX + 4])
{
    static const char *const sides[] = {"server", "client", "other"};
    static const char *const outcomes[] = {
        "complete",           "client_closed", "server_closed", "connection_reset",
        "truncated_response", "timeout",       "unparsable",    "request_only",
        "response_only",      "complet",       "completed"};
    static const char *const reasons[] = {"none",           "capture_end", "gap",        "evicted",
                                          "interface_gone", "midstream",   "unsolicited"};
    static const char *const ends[] = {"10.0.0.1:80",           "[2001:db8::1]:65535", "[::]:1",
                                       "255.255.255.255:40312", "nothing like that:",  ""};
    bool ascii = draw(2) == 0;
    for (size_t i = 0; i < (size_t)2 * TEXT_MAX; i++) {
        bytes[i] = (char)(ascii ? 1 + draw(127) : draw(256));
    }
    struct exchange_record record = {
        .time_ns = draw(8) == 0 ? RECORD_TIME_UNKNOWN : (int64_t)draw(INT64_MAX),
        .side = draw_word(sides, 3),
        .client = draw_word(ends, 6),
        .server = draw_word(ends, 6),
        .outcome = draw_word(outcomes, 11),
        .reason = draw_word(reasons, 7),
        .status = (uint16_t)draw(1000),
        .interim = interim,
        .interim_count = draw(3) == 0 ? draw(EVENT_PROTOBUF_INTERIM_MAX + 4) : 0,
        .ambiguous = draw(2) == 0,
        .sampling = (enum record_sampling)draw(3),
        .parent_span_id = draw(3) == 0 ? 0 : draw(UINT64_MAX) >> draw(64),
        .request_body_bytes = draw_number(),
        .response_body_bytes = draw_number(),
        .request_ns = draw_number(),
        .server_ns = draw_number(),
        .response_ns = draw_number(),
        .duration_ns = draw_number(),
        .connect_ns = draw_number()};
    for (size_t i = 0; i < record.interim_count; i++) {
        interim[i] = (uint16_t)draw(65536);
    }
    draw_texts(&record, bytes);
    return record;
}

static void test_bytes_are_protobuf_c_s(void **state)
{
    (void)state;
    struct event_protobuf events;
    struct byte_writer ours;
    struct byte_writer theirs;
    event_protobuf_init(&events);
    byte_writer_init(&ours);
    byte_writer_init(&theirs);
    for (unsigned i = 0; i < RECORDS; i++) {
        char bytes[2 * TEXT_MAX];
        uint16_t interim[EVENT_PROTOBUF_INTERIM_MAX + 4];
        struct exchange_record record = draw_record(bytes, interim);
        byte_writer_reset(&ours);
        byte_writer_reset(&theirs);
        event_protobuf_append(&events, &record, &ours);
        protobuf_reference_append(&record, &theirs);
        assert_false(ours.failed || theirs.failed);
        assert_int_equal(ours.length, theirs.length);
        assert_memory_equal(ours.data, theirs.data, theirs.length);
    }
    byte_writer_fini(&theirs);
    byte_writer_fini(&ours);
    event_protobuf_fini(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes_are_protobuf_c_s)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
