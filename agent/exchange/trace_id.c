#include "agent/exchange/trace_id.h"

#include <stdbool.h>

#define SHORT_ID_LENGTH 16

static int lower_hex(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
        return c;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 'a' : 0;
}

/* Copies the hex digits at the front of `value`, at most `limit`, and returns their number. */
static size_t copy_hex(struct http_slice value, size_t limit, char *id_out, bool *zero_out)
{
    size_t length = 0;
    *zero_out = true;
    while (length < limit && length < value.length && lower_hex(value.data[length]) != 0) {
        id_out[length] = (char)lower_hex(value.data[length]);
        *zero_out = *zero_out && id_out[length] == '0';
        length++;
    }
    return length;
}

/* An id that is followed by `separator`, or by the end where the value may consist of it alone. */
static size_t read_id(struct http_slice value, char separator, bool alone, char *id_out)
{
    bool zero = true;
    size_t length = copy_hex(value, TRACE_ID_LENGTH, id_out, &zero);
    bool whole = (length == value.length && alone) ||
                 (length < value.length && value.data[length] == separator);
    bool sized = length == TRACE_ID_LENGTH || length == SHORT_ID_LENGTH;
    return whole && sized && !zero ? length : 0;
}

/* version "-" trace-id "-" parent-id "-" flags */
static size_t read_traceparent(struct http_slice value, char *id_out)
{
    if (value.length < 3 + TRACE_ID_LENGTH || value.data[2] != '-') {
        return 0;
    }
    struct http_slice rest = {value.data + 3, value.length - 3};
    size_t length = read_id(rest, '-', false, id_out);
    return length == TRACE_ID_LENGTH ? length : 0;
}

/* Jaeger drops leading zeros: "abc:1:0:1" is id 0...0abc. */
static size_t read_uber(struct http_slice value, char *id_out)
{
    char digits[TRACE_ID_LENGTH];
    bool zero = true;
    size_t length = copy_hex(value, TRACE_ID_LENGTH, digits, &zero);
    if (length == 0 || zero || length >= value.length || value.data[length] != ':') {
        return 0;
    }
    size_t width = length > SHORT_ID_LENGTH ? TRACE_ID_LENGTH : SHORT_ID_LENGTH;
    for (size_t i = 0; i < width; i++) {
        id_out[i] = i < width - length ? '0' : digits[i - (width - length)];
    }
    return width;
}

size_t trace_id_find(const struct http_head *head, char id_out[static TRACE_ID_LENGTH])
{
    size_t length = read_traceparent(head->field[HTTP_FIELD_TRACEPARENT], id_out);
    if (length == 0) {
        length = read_id(head->field[HTTP_FIELD_B3], '-', false, id_out);
    }
    if (length == 0) {
        length = read_id(head->field[HTTP_FIELD_X_B3_TRACEID], '\0', true, id_out);
    }
    if (length == 0) {
        length = read_uber(head->field[HTTP_FIELD_UBER_TRACE_ID], id_out);
    }
    return length;
}
