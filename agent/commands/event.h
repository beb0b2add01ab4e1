#pragma once

#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"
#include "exporters/exchange_record.h"

/* Room for the texts that a record points to and an exchange does not have. */
struct event_texts {
    char client[ENDPOINT_TEXT_SIZE];
    char server[ENDPOINT_TEXT_SIZE];
    char version[8];
};

/* The exchange as every event format is written from it. The record points into the exchange, the
 * directory and `texts`. */
struct exchange_record event_record(const struct connection *connection,
                                    const struct exchange *exchange,
                                    const struct directory *directory, struct event_texts *texts);
