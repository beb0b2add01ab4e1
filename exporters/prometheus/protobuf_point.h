#pragma once

#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The messages of one metric point, in room that is used again for the next one. It grows to the
 * largest point and no further.
 */
struct protobuf_point;

/* NULL: out of memory. */
struct protobuf_point *protobuf_point_new(void);
void protobuf_point_free(struct protobuf_point *messages);

/* Makes the Metric message of a point and returns its packed size, 0 when memory ran out. `native`:
 * with the exponential buckets of a histogram that has them. */
size_t protobuf_point_make(struct protobuf_point *messages, const struct metric_point *point,
                           enum metric_type type, bool native);

/* Packs the message that was made last, into as many bytes as said. */
void protobuf_point_pack(const struct protobuf_point *messages, uint8_t *bytes_out);
