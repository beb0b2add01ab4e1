/* The trace context fields of a request, each a line of the input, beside each other: whatever they
 * hold, an id that is found is one. */
#include "agent/exchange/trace_context.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const enum http_field fields[] = {HTTP_FIELD_TRACEPARENT,  HTTP_FIELD_B3,
                                         HTTP_FIELD_X_B3_TRACEID, HTTP_FIELD_X_B3_SPANID,
                                         HTTP_FIELD_X_B3_SAMPLED, HTTP_FIELD_UBER_TRACE_ID};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static void expect(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check(const struct trace_context *context)
{
    size_t length = context->trace_id_length;
    expect(length == 0 || length == TRACE_ID_LENGTH / 2 || length == TRACE_ID_LENGTH);
    expect(length > 0 || context->parent_span_id == 0);
    int zero = 1;
    for (size_t i = 0; i < length; i++) {
        expect(memchr("0123456789abcdef", context->trace_id[i], 16) != NULL);
        zero = zero && context->trace_id[i] == '0';
    }
    expect(length == 0 || !zero);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_head head = {0};
    struct trace_context context;
    char *lines[FIELD_COUNT] = {0};
    const uint8_t *at = data;
    for (size_t i = 0; i < FIELD_COUNT && size > 0; i++) {
        const uint8_t *end = memchr(at, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - at);
        /* Each in memory of its own, so that a byte read behind it is seen. */
        lines[i] = length == 0 ? NULL : malloc(length);
        if (lines[i] != NULL) {
            memcpy(lines[i], at, length);
            head.field[fields[i]] = (struct http_slice){lines[i], length};
        }
        size -= end == NULL ? size : length + 1;
        at += end == NULL ? length : length + 1;
    }
    trace_context_find(&head, &context);
    check(&context);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        free(lines[i]);
    }
    return 0;
}
