#include "http_parser/names.h"

#include "http_parser/chars.h"
#include "http_parser/framing.h"

/* Fields beside enum http_field that the parser looks at. */
enum other_field {
    CONTENT_LENGTH = HTTP_FIELD_COUNT,
    TRANSFER_ENCODING,
    CONNECTION,
    EXPECT,
    UNKNOWN,
};

#define LETTER(letter) (UINT32_C(1) << ((letter)&31))

const uint32_t http_names_letters[HTTP_NAMES_LENGTH_MAX + 1] = {
    [2] = LETTER('b'),
    [4] = LETTER('h'),
    [6] = LETTER('e'),
    [7] = LETTER('u'),
    [10] = LETTER('u') | LETTER('c'),
    [11] = LETTER('t') | LETTER('x'),
    [12] = LETTER('x'),
    [13] = LETTER('u'),
    [14] = LETTER('c'),
    [17] = LETTER('t'),
};

#define IS(word) http_chars_same(at, word, sizeof(word) - 1)

/* Inline in the loop that every head goes through. */
static inline __attribute__((always_inline)) int identify(struct http_slice name)
{
    const char *at = name.data;
    switch (name.length) {
    case 2:
        return IS("b3") ? HTTP_FIELD_B3 : UNKNOWN;
    case 4:
        return IS("host") ? HTTP_FIELD_HOST : UNKNOWN;
    case 6:
        return IS("expect") ? EXPECT : UNKNOWN;
    case 7:
        return IS("upgrade") ? HTTP_FIELD_UPGRADE : UNKNOWN;
    case 10:
        return IS("connection") ? CONNECTION : IS("user-agent") ? HTTP_FIELD_USER_AGENT : UNKNOWN;
    case 11:
        return IS("traceparent")   ? HTTP_FIELD_TRACEPARENT
               : IS("x-b3-spanid") ? HTTP_FIELD_X_B3_SPANID
                                   : UNKNOWN;
    case 12:
        return IS("x-b3-traceid")   ? HTTP_FIELD_X_B3_TRACEID
               : IS("x-b3-sampled") ? HTTP_FIELD_X_B3_SAMPLED
                                    : UNKNOWN;
    case 13:
        return IS("uber-trace-id") ? HTTP_FIELD_UBER_TRACE_ID : UNKNOWN;
    case 14:
        return IS("content-length") ? CONTENT_LENGTH : UNKNOWN;
    case HTTP_NAMES_LENGTH_MAX:
        return IS("transfer-encoding") ? TRANSFER_ENCODING : UNKNOWN;
    default:
        return UNKNOWN;
    }
}

static void keep_first(struct http_head *head, int field, struct http_slice value)
{
    if (head->field[field].data == NULL)
        head->field[field] = value;
    else if (field == HTTP_FIELD_HOST)
        head->flags |= HTTP_HEAD_AMBIGUOUS;
}

/* Apart, so that the other fields do not pay for what lists need on the stack. */
static __attribute__((noinline)) void apply_framing(struct http_head *head, int field,
                                                    struct http_slice value)
{
    switch ((enum other_field)field) {
    case CONTENT_LENGTH:
        http_framing_content_length(head, value);
        break;
    case TRANSFER_ENCODING:
        http_framing_transfer_encoding(head, value);
        break;
    case CONNECTION:
        http_framing_connection(head, value);
        break;
    case EXPECT:
        http_framing_expect(head, value);
        break;
    case UNKNOWN:
        break;
    }
}

void http_names_apply(struct http_head *head, const struct http_names_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int field = identify(lines[i].name);
        if (field == UNKNOWN)
            continue;
        struct http_slice value = lines[i].value;
        value = http_chars_trim(value.data, value.data + value.length);
        if (field < (int)HTTP_FIELD_COUNT)
            keep_first(head, field, value);
        else
            apply_framing(head, field, value);
    }
}

bool http_names_is_critical(struct http_slice name)
{
    int field = identify(name);
    return field == CONTENT_LENGTH || field == TRANSFER_ENCODING || field == HTTP_FIELD_HOST;
}
