#pragma once

#include "agent/tcp/reassembly.h"

#include <stdbool.h>
#include <stdint.h>

/* What the next stage is told of a flow: bytes, gaps, ends; or of an unread flow, their number. */

/* Whether everything that the acknowledgment covers has been delivered. */
bool delivery_is_known(const struct stream *peer, uint64_t ack);

/* The piece begins at or before the stream's next byte; what is not new of it is left out. */
void delivery_bytes(struct reassembly *reassembly, struct flow *flow, unsigned side,
                    const struct piece *piece);

/* The first held segment, which begins at or before the next byte. It may acknowledge more than was
 * delivered, but that is not told. */
void delivery_head(struct reassembly *reassembly, struct flow *flow, unsigned side);

/* Everything from the next byte to `to` is missing. */
void delivery_gap(struct reassembly *reassembly, struct flow *flow, unsigned side, uint64_t to);

/* The end of each side behind whose last byte nothing is missing. */
void delivery_finish(struct reassembly *reassembly, struct flow *flow);

/* Counts an unread flow's bytes up to `end`. */
void delivery_count_unread(struct flow *flow, unsigned side, uint64_t end);

/* Drops what was delivered, or lies before the start, or behind the end. */
void delivery_keep_new(struct reassembly *reassembly, struct flow *flow, unsigned side,
                       struct piece *piece);
