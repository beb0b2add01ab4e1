#pragma once

#include "agent/exchange/conversation.h"

#include <stdbool.h>
#include <stdint.h>

/* Exchanges whose pairing rests on the client's waiting, before it has shown that it waits; see
 * probation.c. */

/* Requests of the connection may have been lost, or not been seen: from now on it is guessed. */
void probation_begin(struct conversation *conversation);

/* Reports a finished exchange, now or once it is believed. */
void probation_finish(struct pairing *pairing, struct conversation *conversation,
                      struct request *request, int64_t now_ns);

/* The client asked when it had received the latest answer, and no sooner. */
void probation_pass(struct pairing *pairing, struct conversation *conversation);

/* Reports all that is held: it is believed, or the connection ends without a doubt. */
void probation_release(struct pairing *pairing, struct conversation *conversation);

/* Nothing is held any more: the caller reports what was. */
void probation_cancel(struct pairing *pairing, struct conversation *conversation);

/* Time passes: a client that has been silent since its last answer waits for nothing. */
void probation_expire(struct pairing *pairing, int64_t now_ns);
