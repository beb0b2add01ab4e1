#include "agent/exchange/trace_context.h"

#include <stdbool.h>
#include <string.h>

/* Each reader takes its value apart from the front and gives up at the first byte that does not
 * fit: half a trace context is none. */

#define SHORT_ID_LENGTH 16
#define SPAN_ID_LENGTH 16
/* "00-" trace id "-" parent id "-" flags: all of version 00, the beginning of any later one. */
#define TRACEPARENT_LENGTH 55

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void skip(struct http_slice *rest, size_t length)
{
    rest->data += length;
    rest->length -= length;
}

/* How many hex digits are in front, up to one more than `limit`. */
static size_t count_hex(struct http_slice rest, size_t limit)
{
    size_t length = 0;
    while (length < rest.length && length <= limit && hex_value(rest.data[length]) >= 0) {
        length++;
    }
    return length;
}

static bool take_byte(struct http_slice *rest, char byte)
{
    if (rest->length == 0 || rest->data[0] != byte) {
        return false;
    }
    skip(rest, 1);
    return true;
}

/* A number of `least` to `most` (at most 16) digits. */
static bool take_number(struct http_slice *rest, size_t least, size_t most, uint64_t *value_out)
{
    size_t length = count_hex(*rest, most);
    if (length < least || length > most) {
        return false;
    }
    *value_out = 0;
    for (size_t i = 0; i < length; i++) {
        *value_out = *value_out << 4 | (unsigned)hex_value(rest->data[i]);
    }
    skip(rest, length);
    return true;
}

static bool take_span_id(struct http_slice *rest, uint64_t *id_out)
{
    return take_number(rest, SPAN_ID_LENGTH, SPAN_ID_LENGTH, id_out) && *id_out != 0;
}

/* `length` digits in lower case behind zeros that make them `width`; false: all of them are 0. */
static bool set_trace_id(struct trace_context *context, const char *digits, size_t length,
                         size_t width)
{
    bool zero = true;
    memset(context->trace_id, '0', width - length);
    for (size_t i = 0; i < length; i++) {
        unsigned value = (unsigned)hex_value(digits[i]) & 0xf;
        context->trace_id[width - length + i] = "0123456789abcdef"[value];
        zero = zero && value == 0;
    }
    context->trace_id_length = width;
    return !zero;
}

static bool take_trace_id(struct http_slice *rest, struct trace_context *context)
{
    size_t length = count_hex(*rest, TRACE_ID_LENGTH);
    bool sized = length == TRACE_ID_LENGTH || length == SHORT_ID_LENGTH;
    if (!sized || !set_trace_id(context, rest->data, length, length)) {
        return false;
    }
    skip(rest, length);
    return true;
}

static enum exchange_sampling sampling_of(bool sampled)
{
    return sampled ? EXCHANGE_SAMPLED : EXCHANGE_NOT_SAMPLED;
}

/* ---- traceparent ---- */

static bool is_lower(struct http_slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] >= 'A' && value.data[i] <= 'F') {
            return false;
        }
    }
    return true;
}

/* version "-" trace-id "-" parent-id "-" flags; later versions may add "-" and more. */
static bool read_traceparent(const struct http_head *head, struct trace_context *context)
{
    struct http_slice value = head->field[HTTP_FIELD_TRACEPARENT];
    uint64_t version = 0;
    uint64_t flags = 0;
    if (value.length < TRACEPARENT_LENGTH ||
        !is_lower((struct http_slice){value.data, TRACEPARENT_LENGTH}) ||
        !take_number(&value, 2, 2, &version) || version == UINT8_MAX || !take_byte(&value, '-') ||
        !take_trace_id(&value, context) || context->trace_id_length != TRACE_ID_LENGTH ||
        !take_byte(&value, '-') || !take_span_id(&value, &context->parent_span_id) ||
        !take_byte(&value, '-') || !take_number(&value, 2, 2, &flags)) {
        return false;
    }
    context->sampling = sampling_of((flags & 1) != 0);
    return value.length == 0 || (version > 0 && value.data[0] == '-');
}

/* ---- B3 ---- */

/* "1", "0", or "d" (debug: sampled); older senders of X-B3-Sampled write words. */
static bool read_b3_sampling(struct http_slice value, struct trace_context *context)
{
    bool yes = (value.length == 1 && (value.data[0] == '1' || value.data[0] == 'd')) ||
               (value.length == 4 && memcmp(value.data, "true", 4) == 0);
    bool no = (value.length == 1 && value.data[0] == '0') ||
              (value.length == 5 && memcmp(value.data, "false", 5) == 0);
    context->sampling = yes || no ? sampling_of(yes) : EXCHANGE_SAMPLING_OPEN;
    return yes || no;
}

/* "-" sampling [ "-" parent-span-id ] */
static bool read_b3_rest(struct http_slice rest, struct trace_context *context)
{
    uint64_t grandparent = 0;
    if (!take_byte(&rest, '-') || rest.length == 0 ||
        !read_b3_sampling((struct http_slice){rest.data, 1}, context)) {
        return false;
    }
    skip(&rest, 1);
    return rest.length == 0 ||
           (take_byte(&rest, '-') && take_span_id(&rest, &grandparent) && rest.length == 0);
}

/* trace-id "-" span-id, and perhaps more; or the sampling alone. */
static bool read_b3(const struct http_head *head, struct trace_context *context)
{
    struct http_slice value = head->field[HTTP_FIELD_B3];
    if (value.length == 1) {
        return read_b3_sampling(value, context);
    }
    return take_trace_id(&value, context) && take_byte(&value, '-') &&
           take_span_id(&value, &context->parent_span_id) &&
           (value.length == 0 || read_b3_rest(value, context));
}

/* One field for each part; no span id makes the id known and the parent not. */
static bool read_b3_fields(const struct http_head *head, struct trace_context *context)
{
    struct http_slice trace_id = head->field[HTTP_FIELD_X_B3_TRACEID];
    struct http_slice span_id = head->field[HTTP_FIELD_X_B3_SPANID];
    bool decided = read_b3_sampling(head->field[HTTP_FIELD_X_B3_SAMPLED], context);
    if (trace_id.data == NULL) {
        return decided;
    }
    if (!take_trace_id(&trace_id, context) || trace_id.length > 0) {
        return false;
    }
    return span_id.data == NULL ||
           (take_span_id(&span_id, &context->parent_span_id) && span_id.length == 0);
}

/* ---- uber-trace-id ---- */

/* trace-id ":" span-id ":" parent-span-id ":" flags; leading zeros may be missing: "abc:1:0:1" is
 * trace 0...0abc. */
static bool read_uber(const struct http_head *head, struct trace_context *context)
{
    struct http_slice value = head->field[HTTP_FIELD_UBER_TRACE_ID];
    size_t length = count_hex(value, TRACE_ID_LENGTH);
    size_t width = length > SHORT_ID_LENGTH ? TRACE_ID_LENGTH : SHORT_ID_LENGTH;
    uint64_t grandparent = 0;
    uint64_t flags = 0;
    if (length == 0 || length > TRACE_ID_LENGTH ||
        !set_trace_id(context, value.data, length, width)) {
        return false;
    }
    skip(&value, length);
    if (!take_byte(&value, ':') ||
        !take_number(&value, 1, SPAN_ID_LENGTH, &context->parent_span_id) ||
        context->parent_span_id == 0 || !take_byte(&value, ':') ||
        !take_number(&value, 0, SPAN_ID_LENGTH, &grandparent) || !take_byte(&value, ':') ||
        !take_number(&value, 1, 2, &flags) || value.length > 0) {
        return false;
    }
    context->sampling = sampling_of((flags & 1) != 0);
    return true;
}

/* Whether any of the fields has anything in it: most requests are not traced. */
static bool is_traced(const struct http_head *head)
{
    size_t length = 0;
    for (unsigned field = HTTP_FIELD_TRACEPARENT; field <= HTTP_FIELD_UBER_TRACE_ID; field++) {
        length |= head->field[field].length;
    }
    return length != 0;
}

typedef bool reader(const struct http_head *head, struct trace_context *context);

void trace_context_find(const struct http_head *head, struct trace_context *context_out)
{
    static reader *const readers[] = {read_traceparent, read_b3, read_b3_fields, read_uber};
    for (size_t i = 0; is_traced(head) && i < sizeof(readers) / sizeof(readers[0]); i++) {
        *context_out = (struct trace_context){0};
        if (readers[i](head, context_out)) {
            return;
        }
    }
    *context_out = (struct trace_context){0};
}
