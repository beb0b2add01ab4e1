#include "exporters/prometheus/prometheus_protobuf.h"

#include "exporters/prometheus/protobuf_point.h"
#include "exporters/proto/io/prometheus/client/metrics.pb-c.h"

#include <errno.h>

/*
 * A family stands behind its length, which is not known before its last point. So the points are
 * written behind a gap that the longest length would fit into, and moved once at the end.
 */

/* The longest varint. */
#define LENGTH_ROOM 10
/* MetricFamily's field `metric`: number 4, length-delimited. */
#define METRIC_TAG (4 << 3 | 2)

static Io__Prometheus__Client__MetricType type_of(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER;
    case METRIC_GAUGE:
        return IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE;
    case METRIC_HISTOGRAM:
        return IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM;
    }
    return IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE;
}

void prometheus_protobuf_end_family(struct prometheus_protobuf *protobuf)
{
    struct byte_writer *out = protobuf->out;
    if (!protobuf->open || out->failed) {
        return;
    }
    size_t length = out->length - protobuf->family_start - LENGTH_ROOM;
    char *family = out->data + protobuf->family_start;
    out->length = protobuf->family_start;
    byte_writer_varint(out, length); /* fits: there is room for the longest */
    memmove(out->data + out->length, family + LENGTH_ROOM, length);
    out->length += length;
    protobuf->open = false;
}

/* The strings are the program's own, and are not changed. */
static char *own_string(const char *string)
{
    char *same;
    memcpy(&same, &string, sizeof(same));
    return same;
}

static void write_family(void *context, const struct metric_family *family)
{
    struct prometheus_protobuf *protobuf = context;
    struct byte_writer *out = protobuf->out;
    Io__Prometheus__Client__MetricFamily message;
    prometheus_protobuf_end_family(protobuf);
    io__prometheus__client__metric_family__init(&message);
    message.name = own_string(family->name);
    message.help = own_string(family->help);
    message.unit = own_string(family->unit);
    message.type = type_of(family->type);
    protobuf->type = family->type;
    protobuf->family_start = out->length;
    size_t size = io__prometheus__client__metric_family__get_packed_size(&message);
    char *room = byte_writer_reserve(out, LENGTH_ROOM + size);
    if (room != NULL) {
        io__prometheus__client__metric_family__pack(&message, (uint8_t *)room + LENGTH_ROOM);
        byte_writer_advance(out, LENGTH_ROOM + size);
        protobuf->open = true;
    }
}

static void write_point(void *context, const struct metric_point *point)
{
    struct prometheus_protobuf *protobuf = context;
    struct byte_writer *out = protobuf->out;
    size_t size = 0;
    if (protobuf->point != NULL && !out->failed) {
        size = protobuf_point_make(protobuf->point, point, protobuf->type, protobuf->native);
    }
    if (size == 0) { /* a point has at least its value's message */
        out->failed = true;
        return;
    }
    byte_writer_byte(out, METRIC_TAG);
    byte_writer_varint(out, size);
    char *room = byte_writer_reserve(out, size);
    if (room != NULL) {
        protobuf_point_pack(protobuf->point, (uint8_t *)room);
        byte_writer_advance(out, size);
    }
}

void prometheus_protobuf_init(struct prometheus_protobuf *protobuf, struct byte_writer *out,
                              bool native)
{
    *protobuf =
        (struct prometheus_protobuf){.out = out, .native = native, .point = protobuf_point_new()};
}

int prometheus_protobuf_fini(struct prometheus_protobuf *protobuf)
{
    prometheus_protobuf_end_family(protobuf);
    int result = protobuf->out->failed ? -ENOMEM : 0;
    protobuf_point_free(protobuf->point);
    *protobuf = (struct prometheus_protobuf){0};
    return result;
}

struct metric_sink prometheus_protobuf_sink(struct prometheus_protobuf *protobuf)
{
    return (struct metric_sink){.context = protobuf, .family = write_family, .point = write_point};
}
