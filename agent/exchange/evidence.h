#pragma once

#include "agent/exchange/conversation.h"

#include <stdbool.h>
#include <stdint.h>

/* What acknowledgments prove of the order of messages; see evidence.c. Knows no protocol. */

/* Where a message began. */
struct message_start {
    uint64_t offset; /* of its first byte in its sender's stream */
    uint64_t head_end;
    uint64_t peer_offset; /* what the sender had received by then; 0: not known */
    int64_t time_ns;
};

/* Whether a message of the client, or of the server, can begin here after a loss: bytes that read
 * like a message may as well lie in the body of one whose head was lost. */
bool evidence_may_ask(const struct conversation *conversation, uint64_t offset,
                      uint64_t peer_offset);
bool evidence_may_answer(const struct conversation *conversation, uint64_t offset,
                         uint64_t peer_offset);

/* The oldest request that has no answer yet and may still get one; NULL: none. */
struct request *evidence_oldest_unanswered(const struct conversation *conversation);

/* Whether the order of the requests tells which response is this one's. */
bool evidence_is_in_order(const struct conversation *conversation, const struct request *request);

/* Whether a response that begins here, interim or final, must be the answer to this request, which
 * is the oldest without one. */
bool evidence_answers(const struct conversation *conversation, const struct request *request,
                      const struct message_start *start);

/* What a request, or a final response, that begins here shows of its client's habits. */
void evidence_judge_request(struct conversation *conversation, const struct message_start *start);
void evidence_judge_response(struct conversation *conversation, const struct message_start *start);

/* Whether the client's habits are such that a loss can be bridged. */
bool evidence_trusts(const struct evidence *evidence);

/* Bytes of the client that begin no message: they belong to the one before, unless bytes are
 * missing between. */
void evidence_note_content(struct evidence *evidence, uint64_t offset, uint64_t length);

/* A final response began that answers `request` (NULL: nobody known). */
void evidence_note_response(struct evidence *evidence, const struct request *request,
                            const struct message_start *start);

/* An interim response passed, a final response ended at this offset. */
void evidence_note_interim(struct evidence *evidence, const struct message_start *start);
void evidence_note_response_end(struct evidence *evidence, uint64_t offset);
