#pragma once

#include "exporters/delivery/named_value.h"
#include "exporters/delivery/sender.h"

/*
 * Events as Kafka messages (librdkafka), one Exchange each, with an idempotent producer. An item of
 * the outbox is the key's length as a varint, the key, the message's length as a varint, and the
 * message. What the brokers do not take stays in the outbox until they do.
 */
struct event_kafka;

/* Longest error text, terminator included. */
#define EVENT_KAFKA_ERROR_SIZE 512

struct event_kafka_options {
    const char *brokers; /* "host:port,..."; all of this outlives it */
    const char *topic;
    const char *compression; /* "none", "gzip", "snappy", "lz4", "zstd" */
    /* librdkafka's own properties, as for TLS and SASL; a value may be in a file. */
    const struct named_value *properties;
    size_t property_count;
    struct exporter_health *health;
};

/* Whether this program was built with it. */
bool event_kafka_is_built(void);

/* NULL and one line: a wrong property, or not built in. No broker is asked yet. */
struct event_kafka *event_kafka_new(const struct event_kafka_options *options,
                                    char error_out[static EVENT_KAFKA_ERROR_SIZE]);
void event_kafka_free(struct event_kafka *kafka);

/* The sender that delivers with this, before it is started. */
void event_kafka_set_sender(struct event_kafka *kafka, struct sender *sender);

/* A sender's callback. */
struct sender_reply event_kafka_deliver(void *kafka, const struct outbox_batch *batch);
