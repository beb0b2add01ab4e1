#include "http_parser/fields.h"

#include "http_parser/framing.h"
#include "http_parser/names.h"
#include "http_parser/scan.h"

/* One field line, its folded continuation lines included. */
struct field_line {
    struct http_names_line parts;
    const char *next; /* the line behind it */
    bool odd;         /* readers may differ about it */
};

/* Whether a continuation line would be a critical field for a reader that knows no folding. */
static bool hides_field(const char *at, const char *end)
{
    const char *name = http_chars_spaces(at, end);
    const char *name_end = http_scan_token(name, end);
    const char *colon = http_chars_spaces(name_end, end);
    return colon < end && *colon == ':' &&
           http_names_is_critical((struct http_slice){name, (size_t)(name_end - name)});
}

/* Behind the continuation lines (section 5.2) that start at `at`: the last line's LF, or NULL when
 * that one, or the byte behind it which tells that it is the last, is not there yet. */
static const char *unfold(struct field_line *line, const char *at, const char *end)
{
    const char *lf = at - 1;
    line->odd = line->odd || http_names_is_critical(line->parts.name);
    while (lf + 1 < end && http_chars_is_space(lf[1])) {
        const char *start = lf + 1;
        lf = http_scan_line(start, end, &line->odd);
        if (lf == NULL)
            return NULL;
        line->odd = line->odd || hides_field(start, lf);
    }
    return lf + 1 < end ? lf : NULL;
}

/* Where the name ends if `colon` follows it, perhaps after white space; NULL: the line names no
 * field. Everything but a token and its colon may be read differently by somebody else. */
static const char *find_colon(struct field_line *line, const char *end)
{
    const char *name_end = http_scan_token(line->parts.name.data, end);
    line->parts.name.length = (size_t)(name_end - line->parts.name.data);
    if (*name_end == ':' && line->parts.name.length > 0)
        return name_end;
    line->odd = true;
    const char *colon = http_chars_spaces(name_end, end);
    return *colon == ':' && line->parts.name.length > 0 ? colon : NULL;
}

static enum http_result read_line(struct field_line *line, const char *at, const char *end)
{
    line->parts.name.data = at;
    line->odd = false;
    /* the end before the name: the next line waits for nothing else */
    const char *lf = http_scan_line(at, end, &line->odd);
    if (lf == NULL || lf + 1 == end)
        return HTTP_INCOMPLETE;
    const char *colon = find_colon(line, end);
    if (colon == NULL) {
        line->parts.name.length = 0;
        line->parts.value = (struct http_slice){at, 0};
    } else {
        if (http_chars_is_space(lf[1]))
            lf = unfold(line, lf + 1, end);
        if (lf == NULL)
            return HTTP_INCOMPLETE;
        line->parts.value = (struct http_slice){colon + 1, (size_t)(lf - colon - 1)};
    }
    line->next = lf + 1;
    return HTTP_DONE;
}

enum http_result http_fields_parse(const char **at, const char *end, struct http_head *head)
{
    for (const char *start = *at;;) {
        const char *behind = http_chars_empty_line(start, end);
        if (behind == NULL)
            return HTTP_INCOMPLETE;
        if (behind > start) {
            http_framing_settle(head);
            *at = behind;
            return HTTP_DONE;
        }
        struct field_line line;
        if (read_line(&line, start, end) != HTTP_DONE)
            return HTTP_INCOMPLETE;
        if (http_names_may_be_known(line.parts.name.data, line.parts.name.length))
            http_names_apply(head, &line.parts, 1);
        if (line.odd)
            head->flags |= HTTP_HEAD_AMBIGUOUS;
        start = line.next;
    }
}

bool http_fields_are_complete(const char *from, const char *end)
{
    const char *at = from;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        const char *behind = http_chars_empty_line(++at, end);
        if (behind != NULL && behind > at)
            return true;
    }
    return false;
}
