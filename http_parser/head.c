#include "http_parser/head.h"

#include "http_parser/fields.h"
#include "http_parser/plain.h"
#include "http_parser/start_line.h"

#include <string.h>

/*
 * There are two readers: a fast one for plain heads (plain.h), and the careful one, here, which is
 * asked when the fast one finds a head odd, and knows what is to be made of every byte. Machines
 * without vectors have the careful one alone.
 *
 * A head that does not arrive whole is read as far as it is there, which refuses what cannot be
 * HTTP/1.x at once, and is then only searched for its end, new bytes alone, until it is whole; then
 * it is read a last time. Between the calls `scanned` holds twice the number of bytes searched,
 * plus one when the first line was whole and valid: a head ends at an empty line behind it, never
 * before.
 */
typedef enum http_result start_line_reader(const char **at, const char *end,
                                           struct http_head *head);

enum {
    LINE_IS_WHOLE = 1
};

/* Longest beginning of a first line by which it is refused before its end is there: a word that is
 * no method. The beginning of a status line is shorter. */
enum {
    DECISIVE_LENGTH = HTTP_METHOD_LENGTH_MAX + 1
};

static bool may_be_complete(const char *bytes, const char *line, const char *end, size_t scanned)
{
    /* the line end before an empty line may lie two bytes back: LF CR, and now LF */
    enum {
        LOOK_BACK = 2
    };
    size_t searched = scanned / 2;
    const char *fresh = bytes + searched;
    if ((scanned & LINE_IS_WHOLE) != 0)
        return http_fields_are_complete(fresh - LOOK_BACK, end);
    return searched < (size_t)(line - bytes) + DECISIVE_LENGTH ||
           memchr(fresh, '\n', (size_t)(end - fresh)) != NULL;
}

static enum http_result parse(const char *bytes, size_t length, size_t *scanned,
                              http_plain_reader *read_plain, start_line_reader *read_line,
                              struct http_head *head_out)
{
    if (length == 0)
        return HTTP_INCOMPLETE;
    if (*scanned / 2 > length)
        *scanned = 0; /* fewer bytes than before: not the same head */
    const char *end = bytes + length;
    const char *line = http_start_line_skip_empty(bytes, end);
    if (line == end || (line + 1 == end && *line == '\r'))
        return HTTP_INCOMPLETE;
    if (*scanned != 0 && !may_be_complete(bytes, line, end, *scanned)) {
        *scanned = length * 2 + (*scanned & LINE_IS_WHOLE);
        return HTTP_INCOMPLETE;
    }
    const char *at = line;
    enum http_walk walk = read_plain(bytes, &at, end, head_out);
    if (walk == HTTP_WALK_DONE) {
        head_out->length = (size_t)(at - bytes);
        *scanned = 0;
        return HTTP_DONE;
    }
    struct http_head head = {0};
    enum http_result result = read_line(&at, end, &head);
    if (result != HTTP_DONE) {
        *scanned = length * 2;
        return result;
    }
    if (walk == HTTP_WALK_INCOMPLETE || http_fields_parse(&at, end, &head) != HTTP_DONE) {
        *scanned = length * 2 + LINE_IS_WHOLE;
        return HTTP_INCOMPLETE;
    }
    head.length = (size_t)(at - bytes);
    *head_out = head;
    *scanned = 0;
    return HTTP_DONE;
}

enum http_result http_request_head_parse(const char *bytes, size_t length, size_t *scanned,
                                         struct http_head *head_out)
{
    return parse(bytes, length, scanned, http_plain_request, http_start_line_request, head_out);
}

enum http_result http_response_head_parse(const char *bytes, size_t length, size_t *scanned,
                                          struct http_head *head_out)
{
    return parse(bytes, length, scanned, http_plain_response, http_start_line_response, head_out);
}
