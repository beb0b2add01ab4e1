#include "agent/exchange/route.h"

#include "agent/exchange/byte_class.h"
#include "agent/exchange/identifier.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * A path is split into its segments in one pass that also collects the classes of their bytes; most
 * segments are known to be words from these alone. Only segments with bytes that a route does not
 * hold are rewritten, into `normal`. Patterns are split by the same code, so both sides of a
 * comparison are in one form, and are kept by their number of segments.
 */

/* One segment; in normal form unless it is too long for a word. */
struct part {
    struct slice text;
    struct byte_classes classes;
};

struct path {
    struct part parts[ROUTE_SEGMENTS_MAX];
    size_t count;
    bool trailing_slash;
    bool has_rest; /* more segments than parts */
    char normal[ROUTE_SEGMENTS_MAX][IDENTIFIER_WORD_MAX];
};

struct pattern {
    char *text; /* as configured */
    size_t length;
    char *normal;                              /* what the literal segments point into */
    struct slice segments[ROUTE_SEGMENTS_MAX]; /* data NULL: a placeholder */
    bool trailing_slash;
};

struct route_patterns {
    struct pattern *items;
    size_t starts[ROUTE_SEGMENTS_MAX + 2]; /* items with n segments: starts[n] to starts[n + 1] */
    size_t count;
};

struct output {
    char *at;
    char *end;
    bool overflow;
};

static const char placeholder_open[] = "%7B";
static const char placeholder_close[] = "%7D";

static void append(struct output *output, struct slice text)
{
    if (text.length > (size_t)(output->end - output->at)) {
        output->overflow = true;
        return;
    }
    memcpy(output->at, text.data, text.length);
    output->at += text.length;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte at `*at`, percent-decoded when it is encoded; moves on behind it. */
static char next_byte(const char **at, const char *end)
{
    const char *from = *at;
    *at = from + 1;
    if (*from != '%' || end - from < 3 || hex_value(from[1]) < 0 || hex_value(from[2]) < 0) {
        return *from;
    }
    *at = from + 3;
    return (char)(hex_value(from[1]) << 4 | hex_value(from[2]));
}

/* Rewrites a segment to plain bytes and %XX; leaves it as it is when it is too long. */
static void normalise(struct part *part, char *normal)
{
    static const char digits[] = "0123456789ABCDEF";
    struct byte_classes classes = {0, UINT16_MAX};
    const char *end = part->text.data + part->text.length;
    size_t length = 0;
    for (const char *at = part->text.data; at < end;) {
        char byte = next_byte(&at, end);
        uint16_t class = byte_class_of(byte);
        bool plain = (class & BYTE_PLAIN) != 0;
        if (length + (plain ? 1 : 3) > IDENTIFIER_WORD_MAX) {
            part->text.length = SIZE_MAX; /* too long for a word, whatever its raw length was */
            return;
        }
        if (plain) {
            normal[length++] = byte;
        } else {
            normal[length++] = '%';
            normal[length++] = digits[(byte >> 4) & 0xf];
            normal[length++] = digits[byte & 0xf];
            class = 0;
        }
        classes.any |= class;
        classes.every &= class;
    }
    *part = (struct part){{normal, length}, classes};
}

/* One segment from `at`; returns where it ends. */
static const char *read_part(const char *at, const char *end, struct part *part_out)
{
    struct byte_classes classes = {0, UINT16_MAX};
    const char *start = at;
    for (; at < end; at++) {
        uint16_t class = byte_class_of(*at);
        if ((class & BYTE_END) != 0) {
            break;
        }
        classes.any |= class;
        classes.every &= class;
    }
    *part_out = (struct part){{start, (size_t)(at - start)}, classes};
    return at;
}

/* `text` begins with '/'; query and fragment are left out. */
static void split(struct slice text, struct path *path_out)
{
    const char *end = text.data + text.length;
    const char *at = text.data;
    path_out->count = 0;
    path_out->has_rest = false;
    path_out->trailing_slash = false;
    while (at < end && *at == '/') {
        struct part part;
        at = read_part(at + 1, end, &part);
        path_out->trailing_slash = part.text.length == 0;
        if (part.text.length > 0 && path_out->count == ROUTE_SEGMENTS_MAX) {
            path_out->has_rest = true;
            return;
        }
        if (part.text.length > 0) {
            if ((part.classes.every & BYTE_PLAIN) == 0) {
                normalise(&part, path_out->normal[path_out->count]);
            }
            path_out->parts[path_out->count++] = part;
        }
        while (at < end && *at != '/' && *at != '?' && *at != '#') {
            at++; /* parameters */
        }
    }
}

bool route_patterns_is_empty(const struct route_patterns *patterns)
{
    return patterns == NULL || patterns->count == 0;
}

static bool pattern_fits(const struct pattern *pattern, const struct path *path)
{
    if (pattern->trailing_slash != path->trailing_slash) {
        return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        struct slice literal = pattern->segments[i];
        if (literal.data != NULL && !slice_equal(literal, path->parts[i].text)) {
            return false;
        }
    }
    return true;
}

static const struct pattern *find_pattern(const struct route_patterns *patterns,
                                          const struct path *path)
{
    if (patterns == NULL || path->has_rest) {
        return NULL;
    }
    for (size_t i = patterns->starts[path->count]; i < patterns->starts[path->count + 1]; i++) {
        if (pattern_fits(&patterns->items[i], path)) {
            return &patterns->items[i];
        }
    }
    return NULL;
}

static void append_part(struct output *output, const struct part *part)
{
    size_t suffix = 0;
    const char *placeholder = identifier_placeholder(part->text, part->classes, &suffix);
    append(output, (struct slice){"/", 1});
    if (placeholder == NULL) {
        append(output, part->text);
        return;
    }
    append(output, slice_of(placeholder));
    if (suffix > 0) {
        append(output, (struct slice){part->text.data + part->text.length - suffix, suffix});
    }
}

static void append_path(struct output *output, const struct path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        append_part(output, &path->parts[i]);
    }
    if (path->has_rest) {
        append(output, slice_of("/{rest}"));
    } else if (path->trailing_slash || path->count == 0) {
        append(output, (struct slice){"/", 1});
    }
}

/* From the first '/' of the path on; the absolute form may have none, then it is "/". */
static struct slice path_of(struct slice target)
{
    const char *end = target.data + target.length;
    const char *start = target.data;
    if (target.length > 0 && *start != '/') {
        const char *colon = memchr(target.data, ':', target.length);
        if (colon == NULL || colon == target.data || end - colon < 3 ||
            memcmp(colon, "://", 3) != 0) {
            return (struct slice){NULL, 0};
        }
        start = colon + 3;
        while (start < end && *start != '/' && *start != '?' && *start != '#') {
            start++;
        }
    }
    if (start == end || *start != '/') {
        return target.length > 0 ? slice_of("/") : (struct slice){NULL, 0};
    }
    return (struct slice){start, (size_t)(end - start)};
}

struct slice route_template(const struct route_patterns *patterns, struct slice target,
                            char *buffer, size_t size)
{
    struct slice text = path_of(target);
    if (text.data == NULL) {
        return text;
    }
    struct path path;
    split(text, &path);
    struct output output = {buffer, buffer + size, false};
    const struct pattern *pattern = find_pattern(patterns, &path);
    if (pattern != NULL) {
        append(&output, (struct slice){pattern->text, pattern->length});
    } else {
        append_path(&output, &path);
    }
    if (output.overflow) {
        output = (struct output){buffer, buffer + size, false};
        append(&output, slice_of("{other}"));
    }
    bool fits = !output.overflow;
    return (struct slice){fits ? buffer : NULL, fits ? (size_t)(output.at - buffer) : 0};
}

static bool is_placeholder(struct slice segment)
{
    const size_t mark = sizeof(placeholder_open) - 1;
    return segment.length > 2 * mark && memcmp(segment.data, placeholder_open, mark) == 0 &&
           memcmp(segment.data + segment.length - mark, placeholder_close, mark) == 0;
}

/* Copies what the comparison needs from `path`. False: out of memory. */
static bool pattern_init(struct pattern *pattern, const char *text, const struct path *path)
{
    size_t length = 0;
    for (size_t i = 0; i < path->count; i++) {
        length += path->parts[i].text.length;
    }
    *pattern = (struct pattern){.text = strdup(text),
                                .length = strlen(text),
                                .normal = malloc(length + 1),
                                .trailing_slash = path->trailing_slash};
    if (pattern->text == NULL || pattern->normal == NULL) {
        return false;
    }
    char *at = pattern->normal;
    for (size_t i = 0; i < path->count; i++) {
        struct slice segment = path->parts[i].text;
        if (!is_placeholder(segment)) {
            memcpy(at, segment.data, segment.length);
            pattern->segments[i] = (struct slice){at, segment.length};
            at += segment.length;
        }
    }
    return true;
}

/* Splits a pattern. False: it can fit nothing. */
static bool read_pattern(const char *text, struct path *path_out)
{
    if (text[0] != '/') {
        return false;
    }
    split(slice_of(text), path_out);
    for (size_t i = 0; i < path_out->count; i++) {
        if (path_out->parts[i].text.length > IDENTIFIER_WORD_MAX) {
            return false;
        }
    }
    return !path_out->has_rest;
}

/* Appends the patterns of `count` segments, in the order given. False: out of memory. */
static bool collect(struct route_patterns *set, const char *const *patterns, size_t pattern_count,
                    size_t segments)
{
    struct path path;
    for (size_t i = 0; i < pattern_count; i++) {
        if (!read_pattern(patterns[i], &path) || path.count != segments) {
            continue;
        }
        set->count++;
        if (!pattern_init(&set->items[set->count - 1], patterns[i], &path)) {
            return false;
        }
    }
    return true;
}

struct route_patterns *route_patterns_new(const char *const *patterns, size_t count)
{
    struct route_patterns *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return NULL;
    }
    set->items = calloc(count + 1, sizeof(*set->items));
    bool done = set->items != NULL;
    for (size_t segments = 0; done && segments <= ROUTE_SEGMENTS_MAX; segments++) {
        set->starts[segments] = set->count;
        done = collect(set, patterns, count, segments);
    }
    set->starts[ROUTE_SEGMENTS_MAX + 1] = set->count;
    if (!done) {
        route_patterns_free(set);
        return NULL;
    }
    return set;
}

void route_patterns_free(struct route_patterns *patterns)
{
    if (patterns == NULL) {
        return;
    }
    for (size_t i = 0; i < patterns->count; i++) {
        free(patterns->items[i].text);
        free(patterns->items[i].normal);
    }
    free(patterns->items);
    free(patterns);
}
