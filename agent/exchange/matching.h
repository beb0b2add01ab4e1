#pragma once

#include "agent/exchange/conversation.h"
#include "agent/tcp/tcp.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Which response answers which request; see matching.c. Knows no protocol: whoever reads the bytes
 * reports where messages begin and end.
 */

/* Where a message began. */
struct message_start {
    uint64_t offset; /* of its first byte in its sender's stream */
    uint64_t head_end;
    uint64_t peer_offset; /* what the sender had received by then; 0: not known */
    int64_t time_ns;
};

/* A request's head; `exchange` carries its texts, which are copied. `kind` is kept for the
 * response. */
void matching_request_began(struct pairing *pairing, struct conversation *conversation,
                            const struct exchange *exchange, const struct message_start *start,
                            enum http_request_kind kind);
void matching_request_ended(struct pairing *pairing, struct conversation *conversation,
                            int64_t time_ns, uint64_t body_bytes);

/* A final response's head; `response->status` and the like are set. Returns the request that it
 * answers, or NULL. */
struct request *matching_response_began(struct pairing *pairing, struct conversation *conversation,
                                        const struct message_start *start);
void matching_response_ended(struct pairing *pairing, struct conversation *conversation,
                             int64_t time_ns, uint64_t body_bytes);
void matching_interim(struct conversation *conversation, uint16_t status);

/* Bytes were lost, or could not be read, such that message boundaries may have been among them. */
void matching_requests_lost(struct pairing *pairing, struct conversation *conversation);
void matching_responses_lost(struct pairing *pairing, struct conversation *conversation);

/* The open response turned out not to be one. */
void matching_response_unparsable(struct pairing *pairing, struct conversation *conversation);

/* The server will send nothing more. */
void matching_server_finished(struct pairing *pairing, struct conversation *conversation);

/* The connection ended; everything that is left is reported. `closer` sent the RST, if one did. */
void matching_closed(struct pairing *pairing, struct conversation *conversation, enum flow_end end,
                     enum conversation_role closer);
