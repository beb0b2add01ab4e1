#include "exporters/prometheus/prometheus_text.h"

#include "exporters/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/*
 * A scrape is mostly histogram lines: the labels of a point are escaped once and repeated by its
 * lines, and the `le` values are formatted once for all histograms in a row that share their
 * bounds. A failed allocation is remembered by the writer it happened in.
 */

static const char *type_name(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    }
    return "untyped";
}

/* Backslash and line feed everywhere, the quotation mark in label values. */
static void append_escaped(struct byte_writer *out, struct text text, bool quoted)
{
    for (size_t i = 0; i < text.length;) {
        char byte = text.data[i];
        size_t length = byte == '\0' ? 0 : utf8_sequence(text.data + i, text.length - i);
        if (length == 0) {
            byte_writer_string(out, UTF8_REPLACEMENT);
            length = 1;
        } else if (byte == '\\') {
            byte_writer_string(out, "\\\\");
        } else if (byte == '\n') {
            byte_writer_string(out, "\\n");
        } else if (byte == '"' && quoted) {
            byte_writer_string(out, "\\\"");
        } else {
            byte_writer_append(out, text.data + i, length);
        }
        i += length;
    }
}

static void write_family(void *context, const struct metric_family *family)
{
    struct prometheus_text *text = context;
    text->family = *family;
    byte_writer_string(text->out, "# HELP ");
    byte_writer_string(text->out, family->name);
    byte_writer_byte(text->out, ' ');
    append_escaped(text->out, text_of(family->help), false);
    byte_writer_string(text->out, "\n# TYPE ");
    byte_writer_string(text->out, family->name);
    byte_writer_byte(text->out, ' ');
    byte_writer_string(text->out, type_name(family->type));
    byte_writer_byte(text->out, '\n');
}

/* name="value",name="value" without the braces, so `le` can follow. */
static void write_labels(struct prometheus_text *text, const struct metric_point *point)
{
    struct byte_writer *labels = &text->labels;
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
    text->out->failed |= labels->failed;
}

/* The start of a sample line, up to the space in front of the value. */
static void write_sample_name(struct prometheus_text *text, const char *suffix, const char *le)
{
    struct byte_writer *out = text->out;
    byte_writer_string(out, text->family.name);
    byte_writer_string(out, suffix);
    if (text->labels.length > 0 || le != NULL) {
        byte_writer_byte(out, '{');
        byte_writer_append(out, text->labels.data, text->labels.length);
        if (le != NULL) {
            byte_writer_string(out, text->labels.length > 0 ? ",le=\"" : "le=\"");
            byte_writer_string(out, le);
            byte_writer_byte(out, '"');
        }
        byte_writer_byte(out, '}');
    }
    byte_writer_byte(out, ' ');
}

static bool has_bounds(const struct prometheus_text *text, const struct metric_histogram *histogram)
{
    size_t size = histogram->bound_count * sizeof(*histogram->bounds);
    return text->bound_count == histogram->bound_count &&
           (size == 0 || memcmp(text->bound_values, histogram->bounds, size) == 0);
}

static void write_bounds(struct prometheus_text *text, const struct metric_histogram *histogram)
{
    size_t size = histogram->bound_count * sizeof(*histogram->bounds);
    double *values = realloc(text->bound_values, size == 0 ? 1 : size);
    text->bound_count = 0;
    byte_writer_reset(&text->bounds);
    if (values == NULL) {
        text->out->failed = true;
        return;
    }
    text->bound_values = values;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        values[i] = histogram->bounds[i];
        byte_writer_number(&text->bounds, histogram->bounds[i]);
        byte_writer_byte(&text->bounds, '\0');
    }
    text->bound_count = histogram->bound_count;
    text->out->failed |= text->bounds.failed;
}

static void write_count(struct prometheus_text *text, const char *suffix, const char *le,
                        uint64_t count)
{
    write_sample_name(text, suffix, le);
    byte_writer_unsigned(text->out, count);
    byte_writer_byte(text->out, '\n');
}

static void write_number(struct prometheus_text *text, const char *suffix, double value)
{
    write_sample_name(text, suffix, NULL);
    byte_writer_number(text->out, value);
    byte_writer_byte(text->out, '\n');
}

static void write_histogram(struct prometheus_text *text, const struct metric_histogram *histogram)
{
    if (!has_bounds(text, histogram)) {
        write_bounds(text, histogram);
    }
    if (text->out->failed) {
        return;
    }
    const char *le = text->bounds.data;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        cumulative += histogram->bucket_counts[i];
        write_count(text, "_bucket", le, cumulative);
        le += strlen(le) + 1;
    }
    write_count(text, "_bucket", "+Inf", histogram->count);
    write_number(text, "_sum", histogram->sum);
    write_count(text, "_count", NULL, histogram->count);
}

static void write_point(void *context, const struct metric_point *point)
{
    struct prometheus_text *text = context;
    write_labels(text, point);
    if (text->family.type == METRIC_HISTOGRAM) {
        write_histogram(text, &point->histogram);
    } else {
        write_number(text, "", point->value);
    }
}

void prometheus_text_init(struct prometheus_text *text, struct byte_writer *out)
{
    *text = (struct prometheus_text){.out = out};
}

int prometheus_text_fini(struct prometheus_text *text)
{
    int result = text->out->failed ? -ENOMEM : 0;
    byte_writer_fini(&text->labels);
    byte_writer_fini(&text->bounds);
    free(text->bound_values);
    *text = (struct prometheus_text){0};
    return result;
}

struct metric_sink prometheus_text_sink(struct prometheus_text *text)
{
    return (struct metric_sink){.context = text, .family = write_family, .point = write_point};
}
