#pragma once

#include "agent/exchange/conversation.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

/* What this stage knows of HTTP/1.x: feeds the parsers and reports what they find to the matching.
 */

/* Starts both directions. `in_step`: the first byte of each is seen; otherwise each starts at its
 * next message start. */
void http1_begin(struct conversation *conversation, bool in_step);

/* In-order bytes of a role. Returns a literal when the conversation is HTTP/1.x no longer: what it
 * speaks from here on, with the number of these bytes that belong to it; else NULL. */
const char *http1_data(struct pairing *pairing, struct conversation *conversation,
                       enum conversation_role role, const struct stream_data *data,
                       uint64_t *foreign_bytes_out);

/* `length` bytes of a role are not there; `time_ns` (or TCP_TIME_UNKNOWN) says when they passed. */
void http1_gap(struct pairing *pairing, struct conversation *conversation,
               enum conversation_role role, uint64_t length, int64_t time_ns);

/* The role sends nothing more. */
void http1_finish(struct pairing *pairing, struct conversation *conversation,
                  enum conversation_role role);

/* Gives back what is held; the connection is over. */
void http1_drop(struct pairing *pairing, struct conversation *conversation);
