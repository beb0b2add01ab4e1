#include "http_parser/plain.h"

#include "http_parser/chars.h"
#include "http_parser/framing.h"
#include "http_parser/machine.h"
#include "http_parser/names.h"
#include "http_parser/scan.h"
#include "http_parser/start_line.h"

/* Copied in steps of vectors; to assign {0} gcc stores word after word. */
static const struct http_head nothing;

static void finish(const struct http_walk_found *found, struct http_head *head)
{
    http_names_apply(head, found->lines, found->count);
    http_framing_settle(head);
}

/* Method SP target SP HTTP/1.x CR LF, with no other white space. */
static bool read_request_line(const char *line, const struct http_walk_found *found,
                              struct http_head *head_out)
{
    enum {
        TAIL_LENGTH = HTTP_VERSION_LENGTH + 2 /* with the SP before and the CR behind it */
    };
    const char *method_end = found->word_end;
    size_t method_length = (size_t)(method_end - line);
    if (method_length == 0 || method_length > HTTP_METHOD_LENGTH_MAX || *method_end != ' ' ||
        found->feed - method_end < TAIL_LENGTH + 2)
        return false;
    const char *target_end = found->feed - TAIL_LENGTH;
    if (*target_end != ' ' || !http_start_line_is_version(target_end + 1) ||
        found->feed[-1] != '\r' || http_scan_visible(method_end + 1, found->behind) != target_end)
        return false;
    *head_out = nothing;
    head_out->method = (struct http_slice){line, method_length};
    head_out->target = (struct http_slice){method_end + 1, (size_t)(target_end - method_end - 1)};
    head_out->minor_version = (uint8_t)(found->feed[-2] - '0');
    return true;
}

enum http_walk http_plain_request(const char *bytes, const char **at, const char *end,
                                  struct http_head *head_out)
{
    struct http_walk_found found;
    enum http_walk walk = http_machine_walk(bytes, *at, end, &found);
    if (walk != HTTP_WALK_DONE)
        return walk;
    if (!read_request_line(*at, &found, head_out))
        return HTTP_WALK_ODD;
    finish(&found, head_out);
    *at = found.behind;
    return HTTP_WALK_DONE;
}

/* The status of a line that begins HTTP/1.x SP code SP, or has CR behind the code; else 0. */
static unsigned read_status(const char *line, const char *end)
{
    if (end - line <= HTTP_VERSION_LENGTH + 1 + HTTP_CODE_LENGTH ||
        !http_start_line_is_version(line) || line[HTTP_VERSION_LENGTH] != ' ')
        return 0;
    const char *code = line + HTTP_VERSION_LENGTH + 1;
    char behind = code[HTTP_CODE_LENGTH];
    if (code[0] == '0' || !http_chars_is_digit(code[0]) || !http_chars_is_digit(code[1]) ||
        !http_chars_is_digit(code[2]) || (behind != ' ' && behind != '\r'))
        return 0;
    return (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 +
           (unsigned)(code[2] - '0');
}

enum http_walk http_plain_response(const char *bytes, const char **at, const char *end,
                                   struct http_head *head_out)
{
    struct http_walk_found found;
    unsigned status = read_status(*at, end);
    if (status == 0)
        return HTTP_WALK_ODD;
    const char *code_end = *at + HTTP_VERSION_LENGTH + 1 + HTTP_CODE_LENGTH;
    enum http_walk walk = http_machine_walk(bytes, code_end, end, &found);
    if (walk != HTTP_WALK_DONE)
        return walk;
    *head_out = nothing;
    head_out->status = (uint16_t)status;
    head_out->minor_version = (uint8_t)((*at)[HTTP_VERSION_LENGTH - 1] - '0');
    head_out->reason = http_start_line_reason(code_end, found.feed);
    finish(&found, head_out);
    *at = found.behind;
    return HTTP_WALK_DONE;
}
