#pragma once

#include "exporters/byte_writer.h"
#include "exporters/exchange_record.h"

/* Interim statuses that a message carries; more are left out. */
#define EVENT_PROTOBUF_INTERIM_MAX 16

/*
 * Writes exchanges as messages of exporters/proto/vethscope/v1/exchange.proto. Holds the memory in
 * which strings are made fit for a message, so that writing many of them allocates once.
 */
struct event_protobuf {
    struct byte_writer strings;
};

void event_protobuf_init(struct event_protobuf *events);
void event_protobuf_fini(struct event_protobuf *events);

/* Appends the exchange behind its length as a varint. Strings become valid UTF-8 without NUL. Out
 * of memory: `out` has failed. */
void event_protobuf_append(struct event_protobuf *events, const struct exchange_record *record,
                           struct byte_writer *out);
