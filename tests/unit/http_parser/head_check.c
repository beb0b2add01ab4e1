#include "tests/unit/http_parser/head_check.h"

#include "http_parser/machine.h"
#include "tests/unit/http_parser/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_slice(struct http_slice slice, const char *expected)
{
    if (expected == NULL) {
        assert_null(slice.data);
        return;
    }
    assert_non_null(slice.data);
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.length);
}

static void assert_head(const struct http_head *head, const struct head_case *expected)
{
    assert_int_equal(head->length, expected->length);
    assert_slice(head->method, expected->method);
    assert_slice(head->target, expected->target);
    assert_slice(head->reason, expected->reason);
    assert_slice(head->field[HTTP_FIELD_HOST], expected->host);
    assert_int_equal(head->content_length, expected->content_length);
    assert_int_equal(head->flags, expected->flags);
    assert_int_equal(head->status, expected->status);
    assert_int_equal(head->minor_version, expected->minor_version);
}

static enum http_result parse(enum http_kind kind, const char *bytes, size_t length,
                              size_t *scanned, struct http_head *head)
{
    return kind == HTTP_REQUESTS ? http_request_head_parse(bytes, length, scanned, head)
                                 : http_response_head_parse(bytes, length, scanned, head);
}

/* Grows what is passed by `step` from `start` on; outputs are untouched until the head is whole. */
static void check_growing(enum http_kind kind, const struct head_case *expected,
                          struct guarded *memory, size_t start, size_t step)
{
    struct http_head head;
    struct http_head untouched;
    enum http_result result = HTTP_INCOMPLETE;
    size_t scanned = 0;
    memset(&head, 0x5a, sizeof(head));
    memcpy(&untouched, &head, sizeof(head));
    for (size_t length = start; result == HTTP_INCOMPLETE && length <= expected->length;) {
        assert_memory_equal(&head, &untouched, sizeof(head));
        const char *bytes = guarded_copy(memory, expected->bytes, length);
        result = parse(kind, bytes, length, &scanned, &head);
        if (result == HTTP_DONE)
            assert_int_equal(length, expected->length);
        size_t left = expected->length - length;
        length += left > 0 && left < step ? left : step;
    }
    assert_int_equal(result, expected->result);
    if (result == HTTP_DONE)
        assert_head(&head, expected);
    else
        assert_memory_equal(&head, &untouched, sizeof(head));
}

void head_check(enum http_kind kind, const struct head_case *expected)
{
    struct guarded memory;
    guarded_init(&memory, expected->length + 1);
    for (int machine = 0; machine < HTTP_MACHINE_COUNT; machine++) {
        if (!http_machine_force((enum http_machine)machine))
            continue;
        check_growing(kind, expected, &memory, expected->length, 1);
        check_growing(kind, expected, &memory, 0, 1);
        for (size_t cut = 1; cut < expected->length; cut++)
            check_growing(kind, expected, &memory, cut, expected->length);
    }
    guarded_fini(&memory);
}
