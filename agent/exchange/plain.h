#pragma once

#include "agent/exchange/conversation.h"
#include "agent/tcp/flow.h"

/* Tells the capture which bytes nobody will look at; see plain.c. */

/* A side of a flow that speaks HTTP/1.x was heard: to be called for large segments, for such as
 * were cut short, and for every one once conversation->plain_told. `broke`: the capture left out
 * the rest of a packet, and the way was lost by it. */
void plain_heard(struct pairing *pairing, struct flow *flow, unsigned side, bool broke);

/* The flow's bytes are only counted, and so many came since the last call. */
void plain_unread(struct pairing *pairing, struct flow *flow, uint64_t bytes);

/* The flow ended. */
void plain_closed(struct pairing *pairing, struct flow *flow);
