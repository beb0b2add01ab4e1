/*
 * Heads and first bytes. The input's first byte chooses request or response and how the rest grows;
 * the rest is parsed at once, and again in growing parts, which must come to the same, as must
 * every implementation that the processor can run. Every copy is exactly as long as what is passed,
 * so AddressSanitizer sees a read before or behind it.
 */
#include "http_parser/head.h"
#include "http_parser/machine.h"
#include "tests/support/http_same.h"

#include <stdlib.h>
#include <string.h>

typedef enum http_result head_parser(const char *bytes, size_t length, size_t *scanned,
                                     struct http_head *head_out);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_slice(struct http_slice slice, const char *bytes, const struct http_head *head)
{
    if (slice.data == NULL) {
        require(slice.length == 0);
        return;
    }
    require(slice.data >= bytes);
    require(slice.data + slice.length <= bytes + head->length);
}

static void check_head(const struct http_head *head, const char *bytes, size_t length)
{
    require(head->length > 0 && head->length <= length);
    require(bytes[head->length - 1] == '\n');
    check_slice(head->method, bytes, head);
    check_slice(head->target, bytes, head);
    check_slice(head->reason, bytes, head);
    for (size_t i = 0; i < HTTP_FIELD_COUNT; i++)
        check_slice(head->field[i], bytes, head);
    require(head->minor_version <= 9);
    require(head->status == 0 || (head->status >= 100 && head->status <= 999));
    require((head->flags & ~(HTTP_HEAD_AMBIGUOUS * 2u - 1)) == 0);
    require(head->content_length == 0 || (head->flags & HTTP_HEAD_CONTENT_LENGTH) != 0);
    uint32_t both = HTTP_HEAD_CHUNKED | HTTP_HEAD_OTHER_CODING;
    require((head->flags & both) != both);
}

/* With the portable implementation, and again with the others, from the same `scanned`. */
static enum http_result parse_with_all(head_parser *parse, const char *bytes, size_t length,
                                       size_t *scanned, struct http_head *head)
{
    size_t before = *scanned;
    require(http_machine_force(HTTP_MACHINE_PORTABLE));
    enum http_result result = parse(bytes, length, scanned, head);
    for (int machine = 1; machine < HTTP_MACHINE_COUNT; machine++) {
        struct http_head other;
        size_t other_scanned = before;
        if (!http_machine_force((enum http_machine)machine))
            continue;
        require(parse(bytes, length, &other_scanned, &other) == result);
        require(other_scanned == *scanned);
        require(result != HTTP_DONE || http_same(head, &other));
    }
    return result;
}

/* Parses a copy of the first `length` bytes, so slices are checked against it. */
static enum http_result parse_copy(head_parser *parse, const uint8_t *data, size_t length,
                                   size_t *scanned, struct http_head *head)
{
    char *copy = malloc(length + (length == 0));
    require(copy != NULL);
    if (length > 0)
        memcpy(copy, data, length);
    enum http_result result = parse_with_all(parse, copy, length, scanned, head);
    if (result == HTTP_DONE)
        check_head(head, copy, length);
    free(copy);
    return result;
}

/* What does not depend on where the bytes lie. */
static bool is_same(const struct http_head *a, const struct http_head *b)
{
    return a->length == b->length && a->flags == b->flags && a->status == b->status &&
           a->minor_version == b->minor_version && a->content_length == b->content_length &&
           a->method.length == b->method.length && a->target.length == b->target.length &&
           a->reason.length == b->reason.length;
}

static void check_sniff(const uint8_t *data, size_t length, head_parser *parse,
                        enum http_result result)
{
    enum http_sniff sniff = http_sniff((const char *)data, length);
    bool is_request = parse == http_request_head_parse;
    if (result == HTTP_DONE)
        require(sniff == (is_request ? HTTP_SNIFF_REQUEST : HTTP_SNIFF_RESPONSE));
    if (result == HTTP_INVALID)
        require(sniff != (is_request ? HTTP_SNIFF_REQUEST : HTTP_SNIFF_RESPONSE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    head_parser *parse = (data[0] & 1) == 0 ? http_request_head_parse : http_response_head_parse;
    size_t step = 1 + data[0] / 2u;
    data++;
    size--;
    struct http_head whole = {0};
    struct http_head grown = {0};
    size_t scanned = 0;
    enum http_result result = parse_copy(parse, data, size, &scanned, &whole);
    check_sniff(data, size, parse, result);
    enum http_result last = HTTP_INCOMPLETE;
    scanned = 0;
    for (size_t length = 0; last == HTTP_INCOMPLETE && length < size;) {
        length = size - length < step ? size : length + step;
        last = parse_copy(parse, data, length, &scanned, &grown);
        size_t anew = 0; /* as if these were the first bytes seen of it */
        require(parse_copy(parse, data, length, &anew, &grown) == last);
    }
    require(last == result);
    require(result != HTTP_DONE || is_same(&whole, &grown));
    return 0;
}
