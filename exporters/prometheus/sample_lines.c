#include "exporters/prometheus/sample_lines.h"

#include "exporters/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A scrape is mostly bucket lines: the labels of a point are escaped once, everything in front of
 * the bound is put together once for its buckets, and the bounds are formatted once for all
 * histograms in a row that share them.
 */

#define NS_PER_SECOND 1000000000
/* Digits of UINT64_MAX and a line feed. */
#define COUNT_SIZE 21
/* From here on canonical numbers have an exponent. */
#define FIRST_EXPONENTIAL 1e6

void sample_lines_init(struct sample_lines *lines, struct byte_writer *out, bool openmetrics)
{
    *lines = (struct sample_lines){.out = out, .openmetrics = openmetrics};
}

int sample_lines_fini(struct sample_lines *lines)
{
    int result = lines->out->failed ? -ENOMEM : 0;
    byte_writer_fini(&lines->labels);
    byte_writer_fini(&lines->head);
    byte_writer_fini(&lines->bounds);
    free(lines->bound_values);
    *lines = (struct sample_lines){0};
    return result;
}

/* Bytes from the first on that are themselves in any text: printable ASCII but \ and ". */
static size_t plain_length(const char *bytes, size_t length)
{
    size_t plain = 0;
    while (plain < length && bytes[plain] >= ' ' && bytes[plain] < 0x7f && bytes[plain] != '\\' &&
           bytes[plain] != '"') {
        plain++;
    }
    return plain;
}

/* Writes the first character, which is not plain, and returns how many bytes it took. */
static size_t append_special(struct byte_writer *out, const char *bytes, size_t length, bool quoted)
{
    size_t sequence = bytes[0] == '\0' ? 0 : utf8_sequence(bytes, length);
    if (sequence == 0) {
        byte_writer_string(out, UTF8_REPLACEMENT);
        return 1;
    }
    if (bytes[0] == '\n') {
        byte_writer_string(out, "\\n");
        return 1;
    }
    if (bytes[0] == '\\' || (bytes[0] == '"' && quoted)) {
        byte_writer_byte(out, '\\');
    }
    byte_writer_append(out, bytes, sequence);
    return sequence;
}

/* Backslash and line feed everywhere, the quotation mark where the text is `quoted`. */
static void append_escaped(struct byte_writer *out, struct text text, bool quoted)
{
    size_t at = 0;
    while (at < text.length) {
        size_t plain = plain_length(text.data + at, text.length - at);
        byte_writer_append(out, text.data + at, plain);
        at += plain;
        if (at < text.length) {
            at += append_special(out, text.data + at, text.length - at, quoted);
        }
    }
}

void sample_lines_name(struct sample_lines *lines, const char *name, size_t length)
{
    lines->name = name;
    lines->name_length = length;
}

void sample_lines_about(struct sample_lines *lines, const char *keyword, struct text text)
{
    byte_writer_string(lines->out, "# ");
    byte_writer_string(lines->out, keyword);
    byte_writer_byte(lines->out, ' ');
    byte_writer_append(lines->out, lines->name, lines->name_length);
    byte_writer_byte(lines->out, ' ');
    append_escaped(lines->out, text, lines->openmetrics);
    byte_writer_byte(lines->out, '\n');
}

/* name="value",name="value" without the braces, so `le` can follow. */
void sample_lines_labels(struct sample_lines *lines, const struct metric_point *point)
{
    struct byte_writer *labels = &lines->labels;
    byte_writer_reset(labels);
    for (size_t i = 0; i < point->label_count; i++) {
        const struct metric_label *label = &point->labels[i];
        if (label->value.length == 0) {
            continue;
        }
        if (labels->length > 0) {
            byte_writer_byte(labels, ',');
        }
        byte_writer_string(labels, label->name);
        byte_writer_string(labels, "=\"");
        append_escaped(labels, label->value, true);
        byte_writer_byte(labels, '"');
    }
    lines->out->failed |= labels->failed;
}

/* The start of a line, up to the space in front of the number. */
static void begin_line(struct sample_lines *lines, const char *suffix)
{
    struct byte_writer *out = lines->out;
    byte_writer_append(out, lines->name, lines->name_length);
    byte_writer_string(out, suffix);
    if (lines->labels.length > 0) {
        byte_writer_byte(out, '{');
        byte_writer_append(out, lines->labels.data, lines->labels.length);
        byte_writer_byte(out, '}');
    }
    byte_writer_byte(out, ' ');
}

void sample_lines_count(struct sample_lines *lines, const char *suffix, uint64_t count)
{
    begin_line(lines, suffix);
    byte_writer_unsigned(lines->out, count);
    byte_writer_byte(lines->out, '\n');
}

void sample_lines_number(struct sample_lines *lines, const char *suffix, double value)
{
    begin_line(lines, suffix);
    byte_writer_number(lines->out, value);
    byte_writer_byte(lines->out, '\n');
}

static void append_time(struct byte_writer *out, int64_t time_ns)
{
    char fraction[16];
    int length = snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)(time_ns % NS_PER_SECOND));
    byte_writer_unsigned(out, (uint64_t)(time_ns / NS_PER_SECOND));
    byte_writer_append(out, fraction, (size_t)length);
}

void sample_lines_time(struct sample_lines *lines, const char *suffix, int64_t time_ns)
{
    if (time_ns > 0) {
        begin_line(lines, suffix);
        append_time(lines->out, time_ns);
        byte_writer_byte(lines->out, '\n');
    }
}

/* ---- histograms ---- */

static bool has_bounds(const struct sample_lines *lines, const struct metric_histogram *histogram)
{
    size_t size = histogram->bound_count * sizeof(*histogram->bounds);
    return lines->bound_values != NULL && lines->bound_count == histogram->bound_count &&
           (size == 0 || memcmp(lines->bound_values, histogram->bounds, size) == 0);
}

/* The shortest digits with an exponent. */
static void append_exponential(struct byte_writer *out, double value)
{
    char text[BYTE_WRITER_NUMBER_SIZE];
    int length = 0;
    for (int precision = 0; precision <= 16; precision++) {
        length = snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    byte_writer_append(out, text, (size_t)length);
}

/* OpenMetrics has one spelling for each bound: a dot or an exponent in all of them. */
static void append_canonical(struct byte_writer *out, double value)
{
    if (isfinite(value) && fabs(value) >= FIRST_EXPONENTIAL) {
        append_exponential(out, value);
        return;
    }
    byte_writer_number(out, value);
    if (isfinite(value) && value == trunc(value)) {
        byte_writer_string(out, ".0");
    }
}

/* How a bucket line ends in front of its count, behind a byte that says how long that is. */
static void append_bound(struct sample_lines *lines, double bound)
{
    struct byte_writer *out = &lines->bounds;
    size_t start = out->length;
    byte_writer_byte(out, '\0');
    if (lines->openmetrics) {
        append_canonical(out, bound);
    } else {
        byte_writer_number(out, bound);
    }
    byte_writer_string(out, "\"} ");
    if (!out->failed) {
        out->data[start] = (char)(out->length - start - 1);
    }
}

static void write_bounds(struct sample_lines *lines, const struct metric_histogram *histogram)
{
    size_t size = histogram->bound_count * sizeof(*histogram->bounds);
    double *values = realloc(lines->bound_values, size == 0 ? 1 : size);
    lines->bound_count = 0;
    byte_writer_reset(&lines->bounds);
    if (values == NULL) {
        lines->out->failed = true;
        return;
    }
    lines->bound_values = values;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        values[i] = histogram->bounds[i];
        append_bound(lines, histogram->bounds[i]);
    }
    append_bound(lines, INFINITY);
    lines->bound_count = histogram->bound_count;
    lines->out->failed |= lines->bounds.failed;
}

static void write_head(struct sample_lines *lines)
{
    struct byte_writer *head = &lines->head;
    byte_writer_reset(head);
    byte_writer_append(head, lines->name, lines->name_length);
    byte_writer_string(head, "_bucket{");
    byte_writer_append(head, lines->labels.data, lines->labels.length);
    byte_writer_string(head, lines->labels.length > 0 ? ",le=\"" : "le=\"");
    lines->out->failed |= head->failed;
}

static void append_exemplar(struct byte_writer *out, const struct metric_exemplar *exemplar)
{
    byte_writer_string(out, " # {trace_id=\"");
    append_escaped(out, exemplar->trace_id, true);
    byte_writer_string(out, "\"} ");
    byte_writer_number(out, exemplar->value);
    byte_writer_byte(out, ' ');
    append_time(out, exemplar->time_ns);
}

/* `bound` is one of lines->bounds; returns the next. */
static const char *write_bucket(struct sample_lines *lines, const char *bound, uint64_t count,
                                const struct metric_exemplar *exemplar)
{
    struct byte_writer *out = lines->out;
    size_t length = (size_t)(unsigned char)bound[0];
    byte_writer_reserve(out, lines->head.length + length + COUNT_SIZE);
    byte_writer_append(out, lines->head.data, lines->head.length);
    byte_writer_append(out, bound + 1, length);
    byte_writer_unsigned(out, count);
    if (exemplar != NULL && exemplar->trace_id.length > 0 && exemplar->time_ns > 0) {
        append_exemplar(out, exemplar);
    }
    byte_writer_byte(out, '\n');
    return bound + 1 + length;
}

void sample_lines_histogram(struct sample_lines *lines, const struct metric_histogram *histogram)
{
    if (!has_bounds(lines, histogram)) {
        write_bounds(lines, histogram);
    }
    write_head(lines);
    if (lines->out->failed) {
        return;
    }
    const struct metric_exemplar *exemplars = lines->openmetrics ? histogram->exemplars : NULL;
    const char *bound = lines->bounds.data;
    uint64_t cumulative = 0;
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        cumulative += histogram->bucket_counts[i];
        uint64_t count = i == histogram->bound_count ? histogram->count : cumulative;
        bound = write_bucket(lines, bound, count, exemplars == NULL ? NULL : &exemplars[i]);
    }
    sample_lines_number(lines, "_sum", histogram->sum);
    sample_lines_count(lines, "_count", histogram->count);
}
