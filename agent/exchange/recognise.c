#include "agent/exchange/recognise.h"

#include <string.h>
#include <strings.h>

/* A method and a target that every server knows: enough to wait for the rest of a line. */
static bool starts_with_method(const struct stream_data *data)
{
    static const char *const methods[] = {"GET /",    "HEAD /",  "POST /",   "PUT /",
                                          "DELETE /", "PATCH /", "OPTIONS /"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        size_t length = strlen(methods[i]);
        if (data->length >= length && memcmp(data->bytes, methods[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* What a segment holds of a method whose first letters came in the segment before, which was taken
 * for something else; hardly a method of its own. */
static bool is_rest_of_method(const char *word, size_t length)
{
    static const char *const methods[] = {"GET",   "HEAD",    "POST",    "PUT",  "DELETE",
                                          "PATCH", "OPTIONS", "CONNECT", "TRACE"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        size_t whole = strlen(methods[i]);
        if (length < whole && memcmp(methods[i] + whole - length, word, length) == 0) {
            return true;
        }
    }
    return false;
}

/* "http:" or "https:", and not a version in a target's place. */
static bool is_absolute(const char *target, size_t length)
{
    static const char scheme[] = "http";
    size_t at = sizeof(scheme) - 1;
    if (length <= at + 1 || strncasecmp(target, scheme, at) != 0) {
        return false;
    }
    at += (target[at] | 0x20) == 's' ? 1 : 0;
    return target[at] == ':';
}

/* Whether what stands behind the first word begins as a target does (RFC 9112 section 3.2): the
 * parser takes more, but not everything that ends in HTTP/1.1 is a request. */
static bool has_target(const struct stream_data *data)
{
    const char *space = memchr(data->bytes, ' ', data->length);
    if (space == NULL || space + 1 == data->bytes + data->length) {
        return false;
    }
    static const char connect[] = "CONNECT";
    size_t method = (size_t)(space - data->bytes);
    bool tunnel = method == sizeof(connect) - 1 && memcmp(data->bytes, connect, method) == 0;
    size_t left = data->length - method - 1;
    if (is_rest_of_method(data->bytes, method)) {
        return false;
    }
    return space[1] == '/' || space[1] == '*' || tunnel || is_absolute(space + 1, left);
}

enum http_sniff recognise_start(const struct stream_data *data)
{
    enum http_sniff sniff = http_sniff(data->bytes, data->length);
    if ((sniff == HTTP_SNIFF_UNDECIDED && starts_with_method(data)) ||
        (sniff == HTTP_SNIFF_REQUEST && has_target(data))) {
        return HTTP_SNIFF_REQUEST;
    }
    return sniff == HTTP_SNIFF_RESPONSE ? sniff : HTTP_SNIFF_OTHER;
}
