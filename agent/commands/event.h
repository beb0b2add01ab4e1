#pragma once

#include "agent/aggregate/aggregate.h"
#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"
#include "exporters/exchange_record.h"

/* Room for the texts that a record points to and an exchange does not have. */
struct event_texts {
    char client[ENDPOINT_TEXT_SIZE];
    char server[ENDPOINT_TEXT_SIZE];
    char version[8];
};

/* Who the directory says is at both ends: for one that never changes. */
struct aggregate_ends event_ends(const struct directory *directory,
                                 const struct connection *connection);

/* The exchange as every event format is written from it. The record points into the exchange, what
 * the ends point to, and `texts`. */
struct exchange_record event_record(const struct connection *connection,
                                    const struct exchange *exchange,
                                    const struct aggregate_ends *ends, struct event_texts *texts);
