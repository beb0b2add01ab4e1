#pragma once

#include "agent/exchange/conversation.h"

#include <stdint.h>

/* Hands finished exchanges to the sink and gives their records back. */

/* A request's record, and the event of its beginning. NULL: none is free, counted; then it was
 * reported as evicted. */
struct request *report_request_began(struct pairing *pairing, struct conversation *conversation,
                                     const struct exchange *exchange);

/* A request with whatever is known of its answer. */
void report_request(struct pairing *pairing, struct conversation *conversation,
                    struct request *request, enum exchange_outcome outcome,
                    enum exchange_reason reason);

/* Tells that a request is over whose exchange is reported later. */
void report_request_over(struct pairing *pairing, struct conversation *conversation,
                         struct request *request);

/* A request without its answer; what was taken for it is reported alone as well. */
void report_request_alone(struct pairing *pairing, struct conversation *conversation,
                          struct request *request);

/* The response being read, which answers nobody known. */
void report_response_alone(struct pairing *pairing, struct conversation *conversation,
                           int64_t end_ns, uint64_t body_bytes);

/* Gives a request back that turned out to be none. */
void report_no_request(struct pairing *pairing, struct conversation *conversation,
                       struct request *request);
