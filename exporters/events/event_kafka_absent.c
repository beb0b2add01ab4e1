#include "exporters/events/event_kafka.h"

#include <stdio.h>

/* What stands for event_kafka.c in a build without librdkafka. */

bool event_kafka_is_built(void)
{
    return false;
}

struct event_kafka *event_kafka_new(const struct event_kafka_options *options,
                                    char error_out[static EVENT_KAFKA_ERROR_SIZE])
{
    (void)options;
    snprintf(error_out, EVENT_KAFKA_ERROR_SIZE, "this program was built without librdkafka");
    return NULL;
}

void event_kafka_free(struct event_kafka *kafka)
{
    (void)kafka;
}

void event_kafka_set_sender(struct event_kafka *kafka, struct sender *sender)
{
    (void)kafka;
    (void)sender;
}

struct sender_reply event_kafka_deliver(void *kafka, const struct outbox_batch *batch)
{
    (void)kafka;
    (void)batch;
    return (struct sender_reply){.verdict = SENDER_REJECTED, .error = "built without librdkafka"};
}
