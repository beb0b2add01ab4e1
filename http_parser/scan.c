#include "http_parser/scan.h"

enum {
    DELETE = 0x7f
};

const char *http_scan_token_slow(const char *at, const char *end)
{
    while (at < end && http_chars_is_token(*at))
        at++;
    return at;
}

const char *http_scan_visible_slow(const char *at, const char *end)
{
    while (at < end && (uint8_t)*at > ' ' && *at != DELETE)
        at++;
    return at;
}

const char *http_scan_text_slow(const char *at, const char *end)
{
    while (at < end && ((uint8_t)*at >= ' ' || *at == '\t') && *at != DELETE)
        at++;
    return at;
}

const char *http_scan_line_slow(const char *at, const char *end, bool *odd)
{
    while (at < end) {
        if (*at == '\n')
            return at;
        if (*at == '\r') {
            if (at + 1 == end)
                return NULL;
            if (at[1] == '\n')
                return at + 1;
        }
        *odd = true;
        at = http_scan_text(at + 1, end);
    }
    return NULL;
}
