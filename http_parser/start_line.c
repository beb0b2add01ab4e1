#include "http_parser/start_line.h"

#include "http_parser/scan.h"

#include <string.h>

static const char version_prefix[] = "HTTP/1.";
enum {
    PREFIX_LENGTH = sizeof(version_prefix) - 1,
    VERSION_LENGTH = HTTP_VERSION_LENGTH
};

const char *http_start_line_skip_empty(const char *at, const char *end)
{
    for (;;) {
        if (at < end && *at == '\n')
            at++;
        else if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
            at += 2;
        else
            return at;
    }
}

static const char *trim_spaces(const char *start, const char *end)
{
    while (end > start && http_chars_is_space(end[-1]))
        end--;
    return end;
}

/* In two words that overlap, which compilers read in place. */
bool http_start_line_is_version(const char *at)
{
    enum {
        WORD = 4,
        SECOND = PREFIX_LENGTH - WORD
    };
    return memcmp(at, version_prefix, WORD) == 0 &&
           memcmp(at + SECOND, version_prefix + SECOND, WORD) == 0 &&
           http_chars_is_digit(at[PREFIX_LENGTH]);
}

/* A method that ends, or may still end, within its bound. */
static enum http_result read_method(const char *at, const char *end, struct http_head *head)
{
    const char *bound = end - at > HTTP_METHOD_LENGTH_MAX ? at + HTTP_METHOD_LENGTH_MAX + 1 : end;
    const char *stop = http_scan_token(at, bound);
    head->method = (struct http_slice){at, (size_t)(stop - at)};
    if (stop == bound)
        return bound - at > HTTP_METHOD_LENGTH_MAX ? HTTP_INVALID : HTTP_INCOMPLETE;
    return stop > at && http_chars_is_space(*stop) ? HTTP_DONE : HTTP_INVALID;
}

/*
 * Any request line, also one that strict readers refuse: the target is what stands between the
 * method and the last word (section 3), and whatever is not exactly one space, or not allowed
 * inside a target, may be read in another way by somebody else.
 */
static enum http_result read_request(const char **at, const char *end, struct http_head *head)
{
    enum http_result result = read_method(*at, end, head);
    const char *lf = memchr(*at, '\n', (size_t)(end - *at));
    if (result == HTTP_DONE && lf == NULL)
        return HTTP_INCOMPLETE;
    if (result != HTTP_DONE)
        return result;
    const char *method_end = *at + head->method.length;
    const char *line_end = http_scan_line_end(*at, lf);
    const char *version_end = trim_spaces(method_end, line_end);
    if (version_end - method_end <= VERSION_LENGTH)
        return HTTP_INVALID;
    const char *version = version_end - VERSION_LENGTH;
    if (!http_chars_is_space(version[-1]) || !http_start_line_is_version(version))
        return HTTP_INVALID;
    const char *target = http_chars_spaces(method_end, version);
    const char *target_end = trim_spaces(target, version);
    if (target != method_end + 1 || *method_end != ' ' || target_end != version - 1 ||
        *target_end != ' ' || version_end != line_end ||
        http_scan_visible(target, target_end) != target_end)
        head->flags |= HTTP_HEAD_AMBIGUOUS;
    head->target = (struct http_slice){target, (size_t)(target_end - target)};
    head->minor_version = (uint8_t)(version[PREFIX_LENGTH] - '0');
    *at = lf + 1;
    return HTTP_DONE;
}

enum http_result http_start_line_request(const char **at, const char *end, struct http_head *head)
{
    /* The form that everybody sends, in one pass: method SP target SP HTTP/1.x CR LF */
    enum {
        TAIL_LENGTH = VERSION_LENGTH + 3
    };
    const char *method_end = http_scan_token(*at, end);
    size_t method_length = (size_t)(method_end - *at);
    if (method_length == 0 || method_length > HTTP_METHOD_LENGTH_MAX || method_end == end ||
        *method_end != ' ')
        return read_request(at, end, head);
    const char *target = method_end + 1;
    const char *tail = http_scan_visible(target, end);
    if (tail == target || end - tail < TAIL_LENGTH || tail[0] != ' ' ||
        !http_start_line_is_version(tail + 1) || tail[TAIL_LENGTH - 2] != '\r' ||
        tail[TAIL_LENGTH - 1] != '\n')
        return read_request(at, end, head);
    head->method = (struct http_slice){*at, method_length};
    head->target = (struct http_slice){target, (size_t)(tail - target)};
    head->minor_version = (uint8_t)(tail[1 + PREFIX_LENGTH] - '0');
    *at = tail + TAIL_LENGTH;
    return HTTP_DONE;
}

/* "HTTP/1.x", of which the end may be missing. */
static enum http_result read_version(const char *at, const char *end)
{
    size_t length = (size_t)(end - at);
    if (length >= VERSION_LENGTH)
        return http_start_line_is_version(at) ? HTTP_DONE : HTTP_INVALID;
    return memcmp(at, version_prefix, length) == 0 ? HTTP_INCOMPLETE : HTTP_INVALID;
}

enum http_result http_start_line_status(const char **at, const char *end, struct http_head *head)
{
    enum {
        CODE_LENGTH = HTTP_CODE_LENGTH,
        SPACES_MAX = 16 /* more than one is odd enough; it bounds what decides */
    };
    enum http_result result = read_version(*at, end);
    if (result != HTTP_DONE)
        return result;
    const char *version_end = *at + VERSION_LENGTH;
    const char *code = http_chars_spaces(version_end, end);
    if (code - version_end > SPACES_MAX)
        return HTTP_INVALID;
    unsigned status = 0;
    for (int i = 0; i < CODE_LENGTH; i++) {
        if (code + i == end)
            return HTTP_INCOMPLETE;
        /* a code has no leading zero: its first digit is the class of the response */
        if (!http_chars_is_digit(code[i]) || code[0] == '0' || code == version_end)
            return HTTP_INVALID;
        status = status * 10 + (unsigned)(code[i] - '0');
    }
    if (code + CODE_LENGTH == end)
        return HTTP_INCOMPLETE;
    char behind = code[CODE_LENGTH];
    if (!http_chars_is_space(behind) && behind != '\r' && behind != '\n')
        return HTTP_INVALID;
    if (code != version_end + 1 || *version_end != ' ')
        head->flags |= HTTP_HEAD_AMBIGUOUS;
    head->minor_version = (uint8_t)(version_end[-1] - '0');
    head->status = (uint16_t)status;
    *at = code + CODE_LENGTH;
    return HTTP_DONE;
}

struct http_slice http_start_line_reason(const char *code_end, const char *feed)
{
    const char *line_end = http_scan_line_end(code_end, feed);
    if (line_end == code_end)
        return (struct http_slice){0};
    return (struct http_slice){code_end + 1, (size_t)(line_end - code_end - 1)};
}

enum http_result http_start_line_response(const char **at, const char *end, struct http_head *head)
{
    enum http_result result = http_start_line_status(at, end, head);
    if (result != HTTP_DONE)
        return result;
    bool odd = false;
    const char *lf = http_scan_line(*at, end, &odd);
    if (lf == NULL)
        return HTTP_INCOMPLETE;
    head->reason = http_start_line_reason(*at, lf);
    if (odd)
        head->flags |= HTTP_HEAD_AMBIGUOUS;
    *at = lf + 1;
    return HTTP_DONE;
}
