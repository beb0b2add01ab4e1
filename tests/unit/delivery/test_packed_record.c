#include "exporters/delivery/packed_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool points_into(const char *pointer, const char *block, size_t size)
{
    return pointer >= block && pointer <= block + size;
}

static void test_every_text_moves_along(void **state)
{
    (void)state;
    static const uint16_t interim[] = {100, 103, 102};
    char original[] = "original";
    struct text text = {original, 8};
    struct exchange_record record = {.time_ns = 1,
                                     .side = text,
                                     .client = text,
                                     .server = text,
                                     .client_namespace = text,
                                     .client_service = text,
                                     .client_kind = text,
                                     .client_pod = text,
                                     .client_node = text,
                                     .server_namespace = text,
                                     .server_service = text,
                                     .server_kind = text,
                                     .server_pod = text,
                                     .server_node = text,
                                     .called_namespace = text,
                                     .called_service = text,
                                     .method = text,
                                     .target = text,
                                     .route = text,
                                     .host = text,
                                     .user_agent = text,
                                     .trace_id = text,
                                     .version = text,
                                     .outcome = text,
                                     .reason = text,
                                     .status = 200,
                                     .interim = interim,
                                     .interim_count = 3,
                                     .ambiguous = true,
                                     .request_ns = 5};
    size_t size = packed_record_size(&record);
    char *packed = malloc(size);
    assert_non_null(packed);
    packed_record_write(&record, packed);
    memset(original, 'x', sizeof(original));
    struct exchange_record read;
    packed_record_read(packed, &read);
    const struct text *const texts[] = {&read.side,
                                        &read.client,
                                        &read.server,
                                        &read.client_namespace,
                                        &read.client_service,
                                        &read.client_kind,
                                        &read.client_pod,
                                        &read.client_node,
                                        &read.server_namespace,
                                        &read.server_service,
                                        &read.server_kind,
                                        &read.server_pod,
                                        &read.server_node,
                                        &read.called_namespace,
                                        &read.called_service,
                                        &read.method,
                                        &read.target,
                                        &read.route,
                                        &read.host,
                                        &read.user_agent,
                                        &read.trace_id,
                                        &read.version,
                                        &read.outcome,
                                        &read.reason};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(points_into(texts[i]->data, packed, size));
        assert_int_equal(texts[i]->length, 8);
        assert_memory_equal(texts[i]->data, "original", 8);
    }
    assert_int_equal(read.interim_count, 3);
    assert_memory_equal(read.interim, interim, sizeof(interim));
    assert_int_equal(read.status, 200);
    assert_int_equal(read.request_ns, 5);
    assert_true(read.ambiguous);
    free(packed);
}

/* All texts, also those that are added to the record later. */
static void test_nothing_of_the_original_is_left(void **state)
{
    (void)state;
    static const char bytes[4096] = {0};
    struct exchange_record filled = {0};
    struct exchange_record read;
    /* They lie behind each other, from `side` up to `status`. */
    size_t count =
        (offsetof(struct exchange_record, status) - offsetof(struct exchange_record, side)) /
        sizeof(struct text);
    struct text *text = &filled.side;
    for (size_t i = 0; i < count; i++) {
        text[i] = (struct text){bytes + i, 1};
    }
    char *packed = malloc(packed_record_size(&filled));
    assert_non_null(packed);
    packed_record_write(&filled, packed);
    packed_record_read(packed, &read);
    const struct text *texts = &read.side;
    for (size_t i = 0; i < count; i++) {
        assert_false(points_into(texts[i].data, bytes, sizeof(bytes) - 1));
    }
    free(packed);
}

static void test_absent_stays_absent(void **state)
{
    (void)state;
    struct exchange_record record = {.method = text_of(""), .status = 1};
    char packed[sizeof(record)];
    assert_in_range(packed_record_size(&record), 1, sizeof(packed));
    packed_record_write(&record, packed);
    struct exchange_record read;
    packed_record_read(packed, &read);
    assert_null(read.target.data);
    assert_non_null(read.method.data);
    assert_int_equal(read.method.length, 0);
    assert_int_equal(read.status, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_moves_along),
        cmocka_unit_test(test_nothing_of_the_original_is_left),
        cmocka_unit_test(test_absent_stays_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
