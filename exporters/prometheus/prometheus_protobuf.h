#pragma once

#include "exporters/byte_writer.h"
#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>

/* The content type of what is written here. */
#define PROMETHEUS_PROTOBUF_CONTENT_TYPE                                                           \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

struct protobuf_point;

/*
 * A metric set as Prometheus' protobuf messages, each family behind its length. Histograms have
 * their classic buckets and, when `native`, their exponential ones in the same message. One point
 * is in memory at a time; label values come out as valid UTF-8 without NUL.
 */
struct prometheus_protobuf {
    struct byte_writer *out;
    struct protobuf_point *point; /* room for the messages of one point */
    size_t family_start;          /* where the family begins in `out` */
    enum metric_type type;        /* of that family */
    bool native;
    bool open; /* a family has begun */
};

void prometheus_protobuf_init(struct prometheus_protobuf *protobuf, struct byte_writer *out,
                              bool native);

/* Ends the family that is being written, so that `out` holds whole messages. */
void prometheus_protobuf_end_family(struct prometheus_protobuf *protobuf);

/* Returns 0, or -ENOMEM when what was written is not whole. The output stays the caller's. */
int prometheus_protobuf_fini(struct prometheus_protobuf *protobuf);

/* The sink to give to a producer, valid as long as `protobuf`. */
struct metric_sink prometheus_protobuf_sink(struct prometheus_protobuf *protobuf);
