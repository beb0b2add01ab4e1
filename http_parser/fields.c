#include "http_parser/fields.h"

#include "http_parser/framing.h"
#include "http_parser/scan.h"

/* One field line, its folded continuation lines included. */
struct field_line {
    const char *name;
    size_t name_length;
    struct http_slice value; /* with the white space around it and the line end */
    const char *next;        /* the line behind it */
    bool odd;                /* readers may differ about it */
};

/* Fields beside enum http_field that the parser looks at. */
enum other_field {
    CONTENT_LENGTH = HTTP_FIELD_COUNT,
    TRANSFER_ENCODING,
    CONNECTION,
    EXPECT,
    UNKNOWN,
};

/* Of the known names, and how many of them share a length, plus one. */
enum {
    NAME_LENGTH_MAX = 17,
    SAME_LENGTH_MAX = 3
};

struct known_field {
    char name[NAME_LENGTH_MAX + 1]; /* in lower case */
    uint8_t field;
};

/* By length of the name: one comparison of a character sorts out nearly every other field. */
static const struct known_field known_fields[NAME_LENGTH_MAX + 1][SAME_LENGTH_MAX] = {
    [2] = {{"b3", HTTP_FIELD_B3}},
    [4] = {{"host", HTTP_FIELD_HOST}},
    [6] = {{"expect", EXPECT}},
    [7] = {{"upgrade", HTTP_FIELD_UPGRADE}},
    [10] = {{"user-agent", HTTP_FIELD_USER_AGENT}, {"connection", CONNECTION}},
    [11] = {{"traceparent", HTTP_FIELD_TRACEPARENT}, {"x-b3-spanid", HTTP_FIELD_X_B3_SPANID}},
    [12] = {{"x-b3-traceid", HTTP_FIELD_X_B3_TRACEID}, {"x-b3-sampled", HTTP_FIELD_X_B3_SAMPLED}},
    [13] = {{"uber-trace-id", HTTP_FIELD_UBER_TRACE_ID}},
    [14] = {{"content-length", CONTENT_LENGTH}},
    [17] = {{"transfer-encoding", TRANSFER_ENCODING}},
};

static int identify(const char *name, size_t length)
{
    if (length > NAME_LENGTH_MAX)
        return UNKNOWN;
    const struct known_field *known = known_fields[length];
    for (; known->name[0] != '\0'; known++) {
        if ((name[0] | 0x20) == known->name[0] && http_chars_same(name, known->name, length))
            return known->field;
    }
    return UNKNOWN;
}

static void keep_first(struct http_head *head, int field, struct http_slice value)
{
    if (head->field[field].data == NULL)
        head->field[field] = value;
    else if (field == HTTP_FIELD_HOST)
        head->flags |= HTTP_HEAD_AMBIGUOUS;
}

static void apply(struct http_head *head, const struct field_line *line)
{
    int field = identify(line->name, line->name_length);
    if (field == UNKNOWN)
        return;
    struct http_slice value =
        http_chars_trim(line->value.data, line->value.data + line->value.length);
    if (field < (int)HTTP_FIELD_COUNT) {
        keep_first(head, field, value);
        return;
    }
    switch ((enum other_field)field) {
    case CONTENT_LENGTH:
        http_framing_content_length(head, value);
        break;
    case TRANSFER_ENCODING:
        http_framing_transfer_encoding(head, value);
        break;
    case CONNECTION:
        http_framing_connection(head, value);
        break;
    case EXPECT:
        http_framing_expect(head, value);
        break;
    case UNKNOWN:
        break;
    }
}

/* Fields that must not be read in two ways: they say where the message ends or whom it is for. */
static bool is_critical(const char *name, size_t length)
{
    int field = identify(name, length);
    return field == CONTENT_LENGTH || field == TRANSFER_ENCODING || field == HTTP_FIELD_HOST;
}

/* Whether a continuation line would be a critical field for a reader that knows no folding. */
static bool hides_field(const char *at, const char *end)
{
    const char *name = http_chars_spaces(at, end);
    const char *name_end = http_scan_token(name, end);
    const char *colon = http_chars_spaces(name_end, end);
    return colon < end && *colon == ':' && is_critical(name, (size_t)(name_end - name));
}

/* Behind the continuation lines (section 5.2) that start at `at`: the last line's LF, or NULL when
 * that one, or the byte behind it which tells that it is the last, is not there yet. */
static const char *unfold(struct field_line *line, const char *at, const char *end)
{
    const char *lf = at - 1;
    line->odd = line->odd || is_critical(line->name, line->name_length);
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
    const char *name_end = http_scan_token(line->name, end);
    line->name_length = (size_t)(name_end - line->name);
    if (*name_end == ':' && line->name_length > 0)
        return name_end;
    line->odd = true;
    const char *colon = http_chars_spaces(name_end, end);
    return *colon == ':' && line->name_length > 0 ? colon : NULL;
}

static enum http_result read_line(struct field_line *line, const char *at, const char *end)
{
    line->name = at;
    line->odd = false;
    /* the end before the name: the next line waits for nothing else */
    const char *lf = http_scan_line(at, end, &line->odd);
    if (lf == NULL || lf + 1 == end)
        return HTTP_INCOMPLETE;
    const char *colon = find_colon(line, end);
    if (colon == NULL) {
        line->name_length = 0;
        line->value = (struct http_slice){at, 0};
    } else {
        if (http_chars_is_space(lf[1]))
            lf = unfold(line, lf + 1, end);
        if (lf == NULL)
            return HTTP_INCOMPLETE;
        line->value = (struct http_slice){colon + 1, (size_t)(lf - colon - 1)};
    }
    line->next = lf + 1;
    return HTTP_DONE;
}

/* Behind the empty line at `at`; `at` itself when another line is there; NULL: too few bytes. */
static const char *empty_line_end(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at == '\n')
        return at + 1;
    if (*at != '\r')
        return at;
    if (at + 1 == end)
        return NULL;
    return at[1] == '\n' ? at + 2 : at;
}

enum http_result http_fields_parse(const char **at, const char *end, struct http_head *head)
{
    for (const char *start = *at;;) {
        const char *behind = empty_line_end(start, end);
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
        apply(head, &line);
        if (line.odd)
            head->flags |= HTTP_HEAD_AMBIGUOUS;
        start = line.next;
    }
}

bool http_fields_are_complete(const char *from, const char *end)
{
    const char *at = from;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        const char *behind = empty_line_end(++at, end);
        if (behind != NULL && behind > at)
            return true;
    }
    return false;
}
