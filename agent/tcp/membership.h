#pragma once

#include "agent/decode/segment.h"
#include "agent/tcp/flow.h"

#include <stdbool.h>

/* Which segments belong to a flow, and which to another connection with its ports; `side` is the
 * sender's. */

/* Old segments of a former connection come one by one; so many in a row are another connection,
 * or the same one after more was lost than can be in flight. */
#define MEMBERSHIP_STRANGERS_MAX 8

/* A segment that lies where this connection has no place for it. */
bool membership_is_stranger(const struct flow *flow, unsigned side, const struct segment *segment);

/* A segment that this flow cannot have sent: its ports are used again. */
bool membership_begins_another(const struct flow *flow, unsigned side,
                               const struct segment *segment);

/* RFC 9293 section 3.10.7 as far as an observer can tell: a RST counts if its receiver has not
 * acknowledged beyond it, and as an answer to a SYN only if it acknowledges that. */
bool membership_is_valid_reset(const struct flow *flow, unsigned side,
                               const struct segment *segment);

/* Whether the segment's acknowledgment can be of this stream, the other side's. */
bool membership_ack_fits(const struct stream *peer, const struct segment *segment);
