#include "agent/kube/client/refusal.h"
#include "agent/kube/wire/wire.h"
#include "tests/support/kube_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slice slice_from(const struct kube_bytes *bytes)
{
    return (struct slice){(const char *)bytes->bytes, bytes->length};
}

#define assert_slice(slice, text) assert_true(slice_equal((slice), slice_of(text)))

static struct kube_bytes raw_of(const char *text)
{
    struct kube_bytes raw = {0};
    kube_bytes_add(&raw, text, strlen(text));
    return raw;
}

/* ---- envelopes ---- */

static void an_envelope_has_a_kind_and_an_object(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_envelope("PodList", raw_of("the object"));
    struct wire_envelope envelope;
    assert_true(wire_envelope_read(slice_from(&bytes), &envelope));
    assert_slice(envelope.kind, "PodList");
    assert_slice(envelope.raw, "the object");
    kube_bytes_free(&bytes);
}

static void an_envelope_cut_anywhere_is_none(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_envelope("Pod", raw_of("the object"));
    /* The last two fields are empty texts: cut between fields, what is left is whole. */
    size_t whole = bytes.length - 4;
    for (size_t length = 0; length < whole; length++) {
        char *copy = malloc(length + 1);
        memcpy(copy, bytes.bytes, length);
        struct wire_envelope envelope;
        bool read = wire_envelope_read((struct slice){copy, length}, &envelope);
        assert_true(!read || length == 4 || envelope.raw.length == 0);
        free(copy);
    }
    kube_bytes_free(&bytes);
}

static void json_and_other_encodings_are_no_envelope(void **state)
{
    (void)state;
    struct wire_envelope envelope;
    assert_false(wire_envelope_read(slice_of("{\"kind\":\"PodList\"}"), &envelope));
    assert_false(wire_envelope_read(slice_of("k8s"), &envelope));
    struct kube_bytes encoded = {0};
    kube_bytes_add(&encoded, "k8s", 4);
    kube_bytes_text(&encoded, 2, "object");
    kube_bytes_text(&encoded, 3, "gzip");
    assert_false(wire_envelope_read(slice_from(&encoded), &envelope));
    kube_bytes_free(&encoded);
}

/* ---- lists ---- */

static void a_list_gives_its_items_in_order(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_list("4815", "next");
    kube_bytes_text(&bytes, 2, "first");
    kube_bytes_number(&bytes, 9, 7); /* a field that is not known */
    kube_bytes_text(&bytes, 2, "");
    kube_bytes_text(&bytes, 2, "third");
    struct wire_list list;
    assert_true(wire_list_open(slice_from(&bytes), &list));
    assert_slice(list.resource_version, "4815");
    assert_slice(list.next_page, "next");
    static const char *const expected[] = {"first", "", "third"};
    for (size_t i = 0; i < 3; i++) {
        struct slice item;
        assert_true(wire_list_next(&list, &item));
        assert_slice(item, expected[i]);
    }
    struct slice none;
    assert_false(wire_list_next(&list, &none));
    kube_bytes_free(&bytes);
}

static void a_list_that_breaks_off_is_refused_whole(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_list("4815", "");
    kube_bytes_text(&bytes, 2, "first");
    kube_bytes_text(&bytes, 2, "second");
    struct slice whole = slice_from(&bytes);
    struct wire_list list;
    assert_true(wire_list_open(whole, &list));
    for (size_t cut = 1; cut < sizeof("second") + 1; cut++) {
        assert_false(wire_list_open((struct slice){whole.data, whole.length - cut}, &list));
    }
    kube_bytes_free(&bytes);
}

static void a_list_without_a_version_is_none(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_list("", "");
    struct wire_list list;
    assert_false(wire_list_open(slice_from(&bytes), &list));
    assert_false(wire_list_open(slice_of(""), &list));
    kube_bytes_free(&bytes);
}

static void lengths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},         /* 2^63 bytes follow */
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* a number of 11 bytes */
        {"\x12\x05"
         "abc",
         5},                    /* five of three */
        {"\x13\x00", 2},        /* a group */
        {"\x00\x01", 2},        /* field 0 */
        {"\x16\x00", 2},        /* type 6 */
        {"\x11\x00\x00\x00", 4} /* half of eight bytes */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kube_bytes bytes = kube_bytes_list("1", "");
        kube_bytes_add(&bytes, wrong[i].bytes, wrong[i].length);
        struct wire_list list;
        assert_false(wire_list_open(slice_from(&bytes), &list));
        kube_bytes_free(&bytes);
    }
}

/* ---- frames and events ---- */

static void a_frame_is_whole_or_waits(void **state)
{
    (void)state;
    struct kube_bytes frame = kube_bytes_event("ADDED", "Pod", raw_of("object"));
    for (size_t length = 0; length < frame.length; length++) {
        assert_int_equal(wire_frame_length((struct slice){(char *)frame.bytes, length}), 0);
    }
    assert_int_equal(wire_frame_length(slice_from(&frame)), frame.length);
    kube_bytes_add(&frame, "more", 4);
    assert_int_equal(wire_frame_length(slice_from(&frame)), frame.length - 4);
    kube_bytes_free(&frame);
}

static void a_frame_too_large_is_known_from_its_length(void **state)
{
    (void)state;
    assert_true(wire_frame_length((struct slice){"\x00\x80\x00\x00", 4}) > WIRE_FRAME_MAX);
    assert_true(wire_frame_length((struct slice){"\xff\xff\xff\xff", 4}) > WIRE_FRAME_MAX);
    assert_int_equal(wire_frame_length((struct slice){"\x00\x7f\xff\xfc", 4}), 0);
}

static struct slice inside(const struct kube_bytes *frame)
{
    return (struct slice){(const char *)frame->bytes + WIRE_FRAME_PREFIX,
                          frame->length - WIRE_FRAME_PREFIX};
}

static void events_have_a_type_and_an_object(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum wire_event_type type;
    } types[] = {{"ADDED", WIRE_ADDED},
                 {"MODIFIED", WIRE_MODIFIED},
                 {"DELETED", WIRE_DELETED},
                 {"BOOKMARK", WIRE_BOOKMARK},
                 {"ERROR", WIRE_ERROR}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct kube_bytes frame = kube_bytes_event(types[i].name, "Pod", raw_of("object"));
        struct wire_event event;
        assert_true(wire_event_read(inside(&frame), &event));
        assert_int_equal(event.type, types[i].type);
        assert_slice(event.object.kind, "Pod");
        assert_slice(event.object.raw, "object");
        kube_bytes_free(&frame);
    }
}

static void what_is_no_event_is_refused(void **state)
{
    (void)state;
    struct wire_event event;
    struct kube_bytes frame = kube_bytes_event("RENAMED", "Pod", raw_of("object"));
    assert_false(wire_event_read(inside(&frame), &event));
    kube_bytes_free(&frame);
    struct kube_bytes only_type = {0};
    kube_bytes_text(&only_type, 1, "ADDED");
    assert_false(wire_event_read(slice_from(&only_type), &event));
    kube_bytes_free(&only_type);
    assert_false(wire_event_read(slice_of(""), &event));
    assert_false(wire_event_read(slice_of("HTTP/1.1 200 OK"), &event));
}

/* ---- refusals ---- */

static void a_status_says_what_and_for_how_long(void **state)
{
    (void)state;
    struct kube_bytes bytes = kube_bytes_status(429, "TooManyRequests", "later", 7);
    struct wire_status status;
    assert_true(wire_status_read(slice_from(&bytes), &status));
    assert_int_equal(status.code, 429);
    assert_int_equal(status.retry_after_s, 7);
    assert_slice(status.message, "later");
    assert_false(wire_status_read((struct slice){(char *)bytes.bytes, bytes.length - 1}, &status));
    kube_bytes_free(&bytes);
}

static const char forbidden[] =
    "pods is forbidden: User \"system:serviceaccount:vethscope:agent\" cannot list resource "
    "\"pods\" in API group \"\" at the cluster scope";

static void a_refusal_is_told_in_the_servers_words(void **state)
{
    (void)state;
    struct kube_bytes bytes =
        kube_bytes_envelope("Status", kube_bytes_status(403, "Forbidden", forbidden, 0));
    struct refusal refusal = {0};
    /* In two pieces, as it may come. */
    refusal_add(&refusal, (struct slice){(char *)bytes.bytes, 10});
    refusal_add(&refusal, (struct slice){(char *)bytes.bytes + 10, bytes.length - 10});
    char text[256];
    refusal_describe(&refusal, 403, text, sizeof(text));
    assert_memory_equal(text, "403: ", 5);
    assert_string_equal(text + 5, forbidden);
    kube_bytes_free(&bytes);
}

static void other_answers_are_told_as_far_as_they_are_a_line(void **state)
{
    (void)state;
    struct refusal refusal = {0};
    char text[32];
    refusal_describe(&refusal, 502, text, sizeof(text));
    assert_string_equal(text, "502");
    refusal_add(&refusal, slice_of("Bad \x1b[31m gateway\nmore"));
    refusal_describe(&refusal, 502, text, sizeof(text));
    assert_string_equal(text, "502: Bad .[31m gateway");
    assert_int_equal(refusal_retry_after(&refusal), 0);
}

static void a_long_refusal_is_cut(void **state)
{
    (void)state;
    static char flood[3 * REFUSAL_KEPT];
    memset(flood, 'x', sizeof(flood));
    struct refusal refusal = {0};
    for (int i = 0; i < 3; i++) {
        refusal_add(&refusal, (struct slice){flood, sizeof(flood)});
    }
    assert_int_equal(refusal.length, REFUSAL_KEPT);
    char text[32];
    refusal_describe(&refusal, 500, text, sizeof(text));
    assert_int_equal(strlen(text), sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_has_a_kind_and_an_object),
        cmocka_unit_test(an_envelope_cut_anywhere_is_none),
        cmocka_unit_test(json_and_other_encodings_are_no_envelope),
        cmocka_unit_test(a_list_gives_its_items_in_order),
        cmocka_unit_test(a_list_that_breaks_off_is_refused_whole),
        cmocka_unit_test(a_list_without_a_version_is_none),
        cmocka_unit_test(lengths_that_cannot_be_are_refused),
        cmocka_unit_test(a_frame_is_whole_or_waits),
        cmocka_unit_test(a_frame_too_large_is_known_from_its_length),
        cmocka_unit_test(events_have_a_type_and_an_object),
        cmocka_unit_test(what_is_no_event_is_refused),
        cmocka_unit_test(a_status_says_what_and_for_how_long),
        cmocka_unit_test(a_refusal_is_told_in_the_servers_words),
        cmocka_unit_test(other_answers_are_told_as_far_as_they_are_a_line),
        cmocka_unit_test(a_long_refusal_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
