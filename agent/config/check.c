#include "agent/config/check.h"

#include "agent/config/config.h"
#include "agent/config/events.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <string.h>

/* As the kernel's IFNAMSIZ without the terminator. */
#define INTERFACE_NAME_MAX 15

/* What the route stage can match: its segments, and their length in percent-encoded form. */
#define PATTERN_SEGMENTS_MAX 16
#define PATTERN_SEGMENT_MAX 64

const char *check_interface(const char *text)
{
    if (text[0] == '\0') {
        return "is empty";
    }
    if (strpbrk(text, "/ \t") != NULL) {
        return "is not the name of an interface";
    }
    bool glob = strpbrk(text, "*?[") != NULL;
    return !glob && strlen(text) > INTERFACE_NAME_MAX ? "is longer than an interface's name" : NULL;
}

const char *check_filter(const char *text)
{
    struct bpf_program program;
    pcap_t *handle = pcap_open_dead(DLT_RAW, UINT16_MAX);
    if (handle == NULL) {
        return "cannot be checked: out of memory";
    }
    bool compiled = pcap_compile(handle, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (compiled) {
        pcap_freecode(&program);
    }
    pcap_close(handle);
    return compiled ? NULL : "is not a pcap-filter(7) expression for IP packets";
}

const char *check_listen(const char *text)
{
    struct endpoint endpoint;
    return config_listen_parse(text, &endpoint) == 0
               ? NULL
               : "is not a listen address such as :9990, 127.0.0.1:9990 or [::1]:9990";
}

const char *check_not_empty(const char *text)
{
    return text[0] == '\0' ? "is empty" : NULL;
}

const char *check_url(const char *text)
{
    bool scheme = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    const char *host = scheme ? strchr(text, ':') + 3 : text;
    bool good = text[0] == '\0' || (scheme && host[0] != '\0' && host[0] != '/');
    return good && strchr(text, ' ') == NULL ? NULL : "is not a URL such as https://host/path";
}

const char *check_token(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    size_t length = strlen(text);
    return length > 0 && strspn(text, allowed) == length ? NULL : "is not a name";
}

const char *check_named_value(const void *items, size_t index)
{
    const struct config_named_value *item = &((const struct config_named_value *)items)[index];
    return (item->value == NULL) == (item->value_file == NULL)
               ? "needs either a value or a value_file"
               : NULL;
}

static bool is_placeholder_name(const char *text, size_t length)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return length > 0 && strspn(text, allowed) >= length;
}

/* One segment, not empty. */
static const char *check_segment(const char *segment, size_t length)
{
    size_t encoded = 0;
    bool braces = memchr(segment, '{', length) != NULL || memchr(segment, '}', length) != NULL;
    if (braces) {
        bool whole = length > 2 && segment[0] == '{' && segment[length - 1] == '}' &&
                     is_placeholder_name(segment + 1, length - 2);
        return whole ? NULL : "has a placeholder that is not a whole segment such as {id}";
    }
    for (size_t i = 0; i < length; i++) {
        encoded += (unsigned char)segment[i] < 0x80 ? 1 : 3;
    }
    return encoded > PATTERN_SEGMENT_MAX ? "has a segment that is too long" : NULL;
}

const char *check_route_pattern(const char *text)
{
    if (text[0] != '/') {
        return "does not begin with /";
    }
    if (strpbrk(text, "?#;* \"\\<>^`|") != NULL) {
        return "is not a plain path: query, fragment, parameters, * and spaces match nothing";
    }
    size_t segments = 0;
    for (const char *at = text + 1; *at != '\0';) {
        size_t length = strcspn(at, "/");
        const char *problem = length == 0 ? "has an empty segment" : check_segment(at, length);
        if (problem != NULL) {
            return problem;
        }
        if (++segments > PATTERN_SEGMENTS_MAX) {
            return "has more than 16 segments";
        }
        at += length + (at[length] == '/');
    }
    return NULL;
}

const char *check_ascending(const void *items, size_t index)
{
    const double *bounds = items;
    return index > 0 && bounds[index] <= bounds[index - 1] ? "is not above the one in front of it"
                                                           : NULL;
}

const char *check_new_range(const void *items, size_t index)
{
    const struct directory_entry *entries = items;
    const struct directory_entry *last = &entries[index];
    for (size_t i = 0; i < index; i++) {
        if (entries[i].prefix_bits == last->prefix_bits && entries[i].port == last->port &&
            address_equal(&entries[i].address, &last->address)) {
            return "has the address and port of an entry in front of it";
        }
    }
    return NULL;
}
