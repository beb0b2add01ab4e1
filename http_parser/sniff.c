#include "http_parser/scan.h"
#include "http_parser/start_line.h"

#include <string.h>

static enum http_sniff sniff_response(const char *line, const char *end)
{
    struct http_head head = {0};
    switch (http_start_line_status(&line, end, &head)) {
    case HTTP_DONE:
        return HTTP_SNIFF_RESPONSE;
    case HTTP_INCOMPLETE:
        return HTTP_SNIFF_UNDECIDED;
    case HTTP_INVALID:
        break;
    }
    return HTTP_SNIFF_OTHER;
}

/* RFC 1945 section 4.1: "GET" SP target and the line's end, no version. */
static bool is_simple_request(const char *line, const char *end)
{
    static const char start[] = "GET /";
    const char *lf = memchr(line, '\n', (size_t)(end - line));
    if (lf == NULL || lf - line < (ptrdiff_t)sizeof(start) - 1 ||
        memcmp(line, start, sizeof(start) - 1) != 0)
        return false;
    const char *line_end = http_scan_line_end(line, lf);
    return http_scan_visible(line + sizeof(start) - 1, line_end) == line_end;
}

static enum http_sniff sniff_request(const char *line, const char *end)
{
    struct http_head head = {0};
    const char *at = line;
    switch (http_start_line_request(&at, end, &head)) {
    case HTTP_DONE:
        return HTTP_SNIFF_REQUEST;
    case HTTP_INCOMPLETE:
        return HTTP_SNIFF_UNDECIDED;
    case HTTP_INVALID:
        break;
    }
    return is_simple_request(line, end) ? HTTP_SNIFF_HTTP09 : HTTP_SNIFF_OTHER;
}

enum http_sniff http_sniff(const char *bytes, size_t length)
{
    if (length == 0)
        return HTTP_SNIFF_UNDECIDED;
    const char *end = bytes + length;
    const char *line = http_start_line_skip_empty(bytes, end);
    if (line == end || (line + 1 == end && *line == '\r'))
        return HTTP_SNIFF_UNDECIDED;
    /* no method holds a slash, so a first line never fits both */
    enum http_sniff sniff = sniff_response(line, end);
    return sniff == HTTP_SNIFF_OTHER ? sniff_request(line, end) : sniff;
}
