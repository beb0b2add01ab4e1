#include "exporters/prometheus/exposition.h"

#include "exporters/prometheus/gzip_stream.h"
#include "exporters/prometheus/openmetrics_text.h"
#include "exporters/prometheus/prometheus_protobuf.h"
#include "exporters/prometheus/prometheus_text.h"

#include <errno.h>
#include <stdlib.h>

/*
 * The format's own sink writes; this one stands in front of it and, with gzip, hands over what is
 * finished as soon as it is worth it: the whole plain exposition is never in memory then. Text is
 * finished with each point, protobuf with each family.
 */

/* Plain bytes that are compressed at once. */
#define PLAIN_MAX ((size_t)64 * 1024)

struct exposition {
    struct exposition_options options;
    union {
        struct prometheus_text text;
        struct openmetrics_text openmetrics;
        struct prometheus_protobuf protobuf;
    } writer;
    struct metric_sink sink;
    struct byte_writer *out;
    struct byte_writer plain; /* with gzip: what is not compressed yet */
    struct gzip_stream *gzip;
};

static void begin(struct exposition *exposition, struct byte_writer *plain)
{
    const struct exposition_options *options = &exposition->options;
    switch (options->format) {
    case EXPOSITION_OPENMETRICS:
        openmetrics_text_init(&exposition->writer.openmetrics, plain, options->created);
        exposition->sink = openmetrics_text_sink(&exposition->writer.openmetrics);
        break;
    case EXPOSITION_PROTOBUF:
        prometheus_protobuf_init(&exposition->writer.protobuf, plain, options->native);
        exposition->sink = prometheus_protobuf_sink(&exposition->writer.protobuf);
        break;
    case EXPOSITION_TEXT:
    case EXPOSITION_FORMATS:
        prometheus_text_init(&exposition->writer.text, plain);
        exposition->sink = prometheus_text_sink(&exposition->writer.text);
        break;
    }
}

static int end(struct exposition *exposition)
{
    switch (exposition->options.format) {
    case EXPOSITION_OPENMETRICS:
        return openmetrics_text_fini(&exposition->writer.openmetrics);
    case EXPOSITION_PROTOBUF:
        return prometheus_protobuf_fini(&exposition->writer.protobuf);
    case EXPOSITION_TEXT:
    case EXPOSITION_FORMATS:
        break;
    }
    return prometheus_text_fini(&exposition->writer.text);
}

struct exposition *exposition_new(const struct exposition_options *options, struct byte_writer *out)
{
    struct exposition *exposition = calloc(1, sizeof(*exposition));
    if (exposition == NULL) {
        return NULL;
    }
    exposition->options = *options;
    exposition->out = out;
    byte_writer_init(&exposition->plain);
    if (options->gzip) {
        exposition->gzip = gzip_stream_new(out);
        if (exposition->gzip == NULL) {
            free(exposition);
            return NULL;
        }
    }
    begin(exposition, options->gzip ? &exposition->plain : out);
    return exposition;
}

static void compress_plain(struct exposition *exposition)
{
    struct byte_writer *plain = &exposition->plain;
    gzip_stream_append(exposition->gzip, plain->data, plain->length);
    exposition->out->failed |= plain->failed;
    plain->length = 0;
}

static void on_family(void *context, const struct metric_family *family)
{
    struct exposition *exposition = context;
    if (exposition->plain.length > PLAIN_MAX) {
        if (exposition->options.format == EXPOSITION_PROTOBUF) {
            prometheus_protobuf_end_family(&exposition->writer.protobuf);
        }
        compress_plain(exposition);
    }
    exposition->sink.family(exposition->sink.context, family);
}

static void on_point(void *context, const struct metric_point *point)
{
    struct exposition *exposition = context;
    exposition->sink.point(exposition->sink.context, point);
    if (exposition->plain.length > PLAIN_MAX && exposition->options.format != EXPOSITION_PROTOBUF) {
        compress_plain(exposition);
    }
}

struct metric_sink exposition_sink(struct exposition *exposition)
{
    return exposition->gzip == NULL ? exposition->sink
                                    : (struct metric_sink){.context = exposition,
                                                           .family = on_family,
                                                           .point = on_point};
}

int exposition_finish(struct exposition *exposition)
{
    int result = end(exposition);
    if (exposition->gzip != NULL) {
        compress_plain(exposition);
        gzip_stream_finish(exposition->gzip);
        gzip_stream_free(exposition->gzip);
        byte_writer_fini(&exposition->plain);
    }
    result = exposition->out->failed ? -ENOMEM : result;
    free(exposition);
    return result;
}

const char *exposition_content_type(enum exposition_format format)
{
    switch (format) {
    case EXPOSITION_OPENMETRICS:
        return OPENMETRICS_TEXT_CONTENT_TYPE;
    case EXPOSITION_PROTOBUF:
        return PROMETHEUS_PROTOBUF_CONTENT_TYPE;
    case EXPOSITION_TEXT:
    case EXPOSITION_FORMATS:
        break;
    }
    return PROMETHEUS_TEXT_CONTENT_TYPE;
}

const char *exposition_format_name(enum exposition_format format)
{
    switch (format) {
    case EXPOSITION_OPENMETRICS:
        return "openmetrics";
    case EXPOSITION_PROTOBUF:
        return "protobuf";
    case EXPOSITION_TEXT:
    case EXPOSITION_FORMATS:
        break;
    }
    return "text";
}
