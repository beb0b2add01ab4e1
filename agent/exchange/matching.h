#pragma once

#include "agent/exchange/conversation.h"
#include "agent/exchange/evidence.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Which response answers which request; see matching.c. Knows no protocol: whoever reads the bytes
 * reports where messages begin and end.
 */

/* Where a message ended. */
struct message_end {
    uint64_t offset;     /* behind its last byte in its sender's stream; 0: not known */
    int64_t time_ns;     /* or EXCHANGE_TIME_UNKNOWN */
    uint64_t body_bytes; /* or EXCHANGE_SIZE_UNKNOWN */
    bool ambiguous;
};

/* The connection's beginning was missed: nothing is known of what came before. */
void matching_begin_midway(struct conversation *conversation);

/* A request's head; `exchange` carries its texts, which are copied. `kind` is kept for the
 * response. */
void matching_request_began(struct pairing *pairing, struct conversation *conversation,
                            const struct exchange *exchange, const struct message_start *start,
                            enum http_request_kind kind);
void matching_request_ended(struct pairing *pairing, struct conversation *conversation,
                            const struct message_end *end);

/* The client sends several requests at once: one was seen whose predecessor was lost. */
void matching_burst(struct pairing *pairing, struct conversation *conversation);

/* A final response's head; `response->status` and the like are set. Returns the request that it
 * answers, or NULL. */
struct request *matching_response_began(struct pairing *pairing, struct conversation *conversation,
                                        const struct message_start *start);
void matching_response_ended(struct pairing *pairing, struct conversation *conversation,
                             const struct message_end *end);
void matching_interim(struct conversation *conversation, const struct message_start *start,
                      uint16_t status);

/* Bytes were lost, or could not be read, such that message boundaries may have been among them. */
void matching_requests_lost(struct pairing *pairing, struct conversation *conversation,
                            enum exchange_reason reason);
void matching_responses_lost(struct pairing *pairing, struct conversation *conversation,
                             enum exchange_reason reason);

/* What the server sends is no response, or the open one turned out not to be one. */
void matching_response_unparsable(struct pairing *pairing, struct conversation *conversation);

/* The server will send nothing more. */
void matching_server_finished(struct pairing *pairing, struct conversation *conversation);

/* The connection goes on with another protocol: what looked like requests behind the latest answer
 * was none. Returns how many bytes of the client that were. */
uint64_t matching_tunnelled(struct pairing *pairing, struct conversation *conversation);

/* The connection ended; everything that is left is reported. `closer` sent the RST, if one did. */
void matching_closed(struct pairing *pairing, struct conversation *conversation, enum flow_end end,
                     enum conversation_role closer);
