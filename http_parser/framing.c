#include "http_parser/framing.h"

#include "http_parser/chars.h"

/*
 * The reading of what RFC 9112 calls faulty is fixed here, so one input has one outcome; each case
 * also sets HTTP_HEAD_AMBIGUOUS:
 * - several Content-Length values that differ: the first valid one; none valid: as if absent
 * - Transfer-Encoding and Content-Length: Transfer-Encoding
 * - chunked applied twice, or with parameters: once, without
 * - codings behind chunked: the last coding decides, as without chunked
 * - identity (RFC 2616) or no coding named at all: as if Transfer-Encoding were absent
 * - Transfer-Encoding in HTTP/1.0: as in HTTP/1.1
 * - a request whose last coding is not chunked: Content-Length, else until the connection ends
 */

/* Bits of http_head.flags while the lines are read; http_framing_settle takes them away. */
enum {
    SEEN_CONTENT_LENGTH = 1u << 16,
    SEEN_TRANSFER_ENCODING = 1u << 17,
    KEEP_ALIVE = 1u << 18,
    FLAGS_KEPT = SEEN_CONTENT_LENGTH - 1,
};

/* Takes the first item off a comma-separated list; false when the list is used up. */
static bool take_item(struct http_slice *list, struct http_slice *item_out)
{
    if (list->data == NULL)
        return false;
    const char *end = list->data + list->length;
    const char *comma = memchr(list->data, ',', list->length);
    *item_out = http_chars_trim(list->data, comma == NULL ? end : comma);
    if (comma == NULL)
        *list = (struct http_slice){0};
    else
        *list = (struct http_slice){comma + 1, (size_t)(end - comma - 1)};
    return true;
}

static inline bool is_word(struct http_slice item, const char *word)
{
    size_t length = strlen(word);
    return item.length == length && http_chars_same(item.data, word, length);
}

static bool read_decimal(struct http_slice digits, uint64_t *number_out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (!http_chars_is_digit(digits.data[i]) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(digits.data[i] - '0'), &number))
            return false;
    }
    *number_out = number;
    return digits.length > 0;
}

void http_framing_content_length(struct http_head *head, struct http_slice value)
{
    struct http_slice item;
    bool is_first = (head->flags & SEEN_CONTENT_LENGTH) == 0;
    head->flags |= SEEN_CONTENT_LENGTH;
    if (is_first && read_decimal(value, &head->content_length)) {
        head->flags |= HTTP_HEAD_CONTENT_LENGTH;
        return;
    }
    while (take_item(&value, &item)) {
        uint64_t number;
        if (!read_decimal(item, &number)) {
            head->flags |= HTTP_HEAD_AMBIGUOUS;
        } else if ((head->flags & HTTP_HEAD_CONTENT_LENGTH) == 0) {
            head->flags |= HTTP_HEAD_CONTENT_LENGTH;
            head->content_length = number;
        } else if (head->content_length != number) {
            head->flags |= HTTP_HEAD_AMBIGUOUS;
        }
    }
}

static void add_coding(struct http_head *head, struct http_slice item)
{
    const char *semicolon = memchr(item.data, ';', item.length);
    const char *end = semicolon == NULL ? item.data + item.length : semicolon;
    struct http_slice coding = http_chars_trim(item.data, end);
    if ((head->flags & HTTP_HEAD_CHUNKED) != 0)
        head->flags |= HTTP_HEAD_AMBIGUOUS; /* chunked was not the last */
    if (is_word(coding, "chunked")) {
        head->flags &= ~(uint32_t)HTTP_HEAD_OTHER_CODING;
        head->flags |= HTTP_HEAD_CHUNKED | (semicolon != NULL ? HTTP_HEAD_AMBIGUOUS : 0);
    } else if (is_word(coding, "identity")) {
        head->flags |= HTTP_HEAD_AMBIGUOUS;
    } else {
        head->flags &= ~(uint32_t)HTTP_HEAD_CHUNKED;
        head->flags |= HTTP_HEAD_OTHER_CODING;
    }
}

void http_framing_transfer_encoding(struct http_head *head, struct http_slice value)
{
    struct http_slice item;
    head->flags |= SEEN_TRANSFER_ENCODING;
    /* a quoted parameter may hide a comma, and whether it does is where readers differ */
    if (memchr(value.data, '"', value.length) != NULL)
        head->flags |= HTTP_HEAD_AMBIGUOUS;
    while (take_item(&value, &item)) {
        if (item.length > 0)
            add_coding(head, item);
    }
}

/* What an option of Connection says, or 0. */
static inline uint32_t connection_flag(struct http_slice option)
{
    if (is_word(option, "keep-alive"))
        return KEEP_ALIVE;
    if (is_word(option, "close"))
        return HTTP_HEAD_CLOSE;
    return is_word(option, "upgrade") ? HTTP_HEAD_UPGRADE : 0;
}

static void add_connection_list(struct http_head *head, struct http_slice list)
{
    struct http_slice item;
    while (take_item(&list, &item))
        head->flags |= connection_flag(item);
}

void http_framing_connection(struct http_head *head, struct http_slice value)
{
    uint32_t only = connection_flag(value);
    head->flags |= only;
    if (only == 0)
        add_connection_list(head, value);
}

void http_framing_expect(struct http_head *head, struct http_slice value)
{
    struct http_slice item;
    while (take_item(&value, &item)) {
        if (is_word(item, "100-continue"))
            head->flags |= HTTP_HEAD_EXPECT_CONTINUE;
    }
}

void http_framing_settle(struct http_head *head)
{
    uint32_t flags = head->flags;
    bool coded = (flags & (HTTP_HEAD_CHUNKED | HTTP_HEAD_OTHER_CODING)) != 0;
    bool is_request = head->status == 0;
    if ((flags & SEEN_TRANSFER_ENCODING) != 0 &&
        (!coded || head->minor_version == 0 || (flags & SEEN_CONTENT_LENGTH) != 0 ||
         (is_request && (flags & HTTP_HEAD_OTHER_CODING) != 0)))
        flags |= HTTP_HEAD_AMBIGUOUS;
    if (head->minor_version == 0 && (flags & KEEP_ALIVE) == 0)
        flags |= HTTP_HEAD_CLOSE;
    head->flags = flags & FLAGS_KEPT;
}

static struct http_framing content_length_framing(const struct http_head *head)
{
    /* content_length is 0 where the field is absent */
    return (struct http_framing){.body = HTTP_BODY_LENGTH, .length = head->content_length};
}

struct http_framing http_framing_request(const struct http_head *head)
{
    if ((head->flags & HTTP_HEAD_CHUNKED) != 0)
        return (struct http_framing){.body = HTTP_BODY_CHUNKED};
    if ((head->flags & (HTTP_HEAD_OTHER_CODING | HTTP_HEAD_CONTENT_LENGTH)) ==
        HTTP_HEAD_OTHER_CODING)
        return (struct http_framing){.body = HTTP_BODY_UNTIL_CLOSE};
    return content_length_framing(head);
}

/* In the order of section 6.3. */
struct http_framing http_framing_response(const struct http_head *head,
                                          enum http_request_kind request)
{
    enum {
        CONTINUE_CLASS = 1,
        SUCCESS_CLASS = 2
    };
    enum {
        SWITCHING_PROTOCOLS = 101,
        NO_CONTENT = 204,
        NOT_MODIFIED = 304
    };
    unsigned class = head->status / 100u;
    if (head->status == SWITCHING_PROTOCOLS)
        return (struct http_framing){.body = HTTP_BODY_TUNNEL};
    if (class == CONTINUE_CLASS || head->status == NO_CONTENT) {
        /* such a response must not announce a body, and some clients wait for one it announces */
        bool announced = (head->flags & HTTP_HEAD_CHUNKED) != 0 || head->content_length > 0;
        return (struct http_framing){.body = HTTP_BODY_LENGTH, .ambiguous = announced};
    }
    if (request == HTTP_REQUEST_HEAD || head->status == NOT_MODIFIED)
        return (struct http_framing){.body = HTTP_BODY_LENGTH};
    if (request == HTTP_REQUEST_CONNECT && class == SUCCESS_CLASS)
        return (struct http_framing){.body = HTTP_BODY_TUNNEL};
    if ((head->flags & HTTP_HEAD_CHUNKED) != 0)
        return (struct http_framing){.body = HTTP_BODY_CHUNKED};
    if ((head->flags & (HTTP_HEAD_OTHER_CODING | HTTP_HEAD_CONTENT_LENGTH)) ==
        HTTP_HEAD_CONTENT_LENGTH)
        return content_length_framing(head);
    return (struct http_framing){.body = HTTP_BODY_UNTIL_CLOSE};
}
