#include "exporters/events/event_kafka.h"

#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A batch is handed to librdkafka as a whole and waited for as a whole; its own queue never holds
 * more. Each item has a state, so what is tried again is only what was not taken. librdkafka tries
 * for as long as it takes: the idempotent producer then loses and doubles nothing, while giving up
 * an attempt and making another could double what was under way.
 *
 * After an error that it calls fatal the producer is of no more use and is made anew.
 */

#define POLL_MS 100
/* How long the last words of purged messages are waited for. */
#define PURGE_MS 500

enum item_state {
    ITEM_WAITS,
    ITEM_UNDER_WAY,
    ITEM_SETTLED
};

struct event_kafka {
    struct event_kafka_options options;
    struct sender *sender;
    rd_kafka_t *producer; /* NULL: to be made */
    rd_kafka_topic_t *topic;
    unsigned char *states;
    size_t state_count;
    size_t under_way;
    uint64_t delivered; /* of this call */
    uint64_t lost;
    bool fatal;
    bool reported; /* the failure that is being waited out */
    char error[EVENT_KAFKA_ERROR_SIZE];
};

bool event_kafka_is_built(void)
{
    return true;
}

void event_kafka_set_sender(struct event_kafka *kafka, struct sender *sender)
{
    kafka->sender = sender;
}

/* ---- what librdkafka says ---- */

/* Errors of one message, which would be the same the next time. */
static enum exporter_loss loss_of(rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
        error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE) {
        return EXPORTER_LOSS_TOO_LARGE;
    }
    bool refused = error == RD_KAFKA_RESP_ERR_INVALID_MSG ||
                   error == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
                   error == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
    return refused ? EXPORTER_LOSS_REJECTED : EXPORTER_LOSS_COUNT;
}

static void settle(struct event_kafka *kafka, size_t index, rd_kafka_resp_err_t error)
{
    enum exporter_loss loss = loss_of(error);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka->states[index] = ITEM_SETTLED;
        kafka->delivered++;
    } else if (loss != EXPORTER_LOSS_COUNT) {
        kafka->states[index] = ITEM_SETTLED;
        kafka->lost++;
        exporter_health_lose(kafka->options.health, loss, 1);
    } else {
        kafka->states[index] = ITEM_WAITS;
        snprintf(kafka->error, sizeof(kafka->error), "%s", rd_kafka_err2str(error));
    }
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
    struct event_kafka *kafka = context;
    (void)producer;
    settle(kafka, (size_t)(uintptr_t)message->_private, message->err);
    kafka->under_way--;
}

/* Of the connections, not of a message. */
static void on_error(rd_kafka_t *producer, int error, const char *reason, void *context)
{
    struct event_kafka *kafka = context;
    (void)producer;
    kafka->fatal = kafka->fatal || error == RD_KAFKA_RESP_ERR__FATAL;
    snprintf(kafka->error, sizeof(kafka->error), "%s", reason);
    if (kafka->under_way > 0 && kafka->sender != NULL) {
        sender_report_failure(kafka->sender, kafka->error);
    }
}

/* The agent's log says what is wrong, once. */
static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *line)
{
    (void)producer;
    (void)level;
    (void)facility;
    (void)line;
}

/* ---- the producer ---- */

static bool set_property(rd_kafka_conf_t *conf, const char *name, const char *value, char *error)
{
    return rd_kafka_conf_set(conf, name, value, error, EVENT_KAFKA_ERROR_SIZE) == RD_KAFKA_CONF_OK;
}

static bool set_property_of_file(rd_kafka_conf_t *conf, const struct named_value *property,
                                 char *error)
{
    char *value = NULL;
    int fd = open(property->value_file, O_RDONLY | O_CLOEXEC);
    int status = fd < 0 ? -errno : named_value_read(fd, &value);
    if (fd >= 0) {
        close(fd);
    }
    if (status != 0) {
        snprintf(error, EVENT_KAFKA_ERROR_SIZE, "cannot read %s: %s", property->value_file,
                 strerrordesc_np(-status));
        return false;
    }
    bool set = set_property(conf, property->name, value, error);
    free(value);
    return set;
}

/* Ours first: the user's may replace them. */
static bool set_properties(rd_kafka_conf_t *conf, const struct event_kafka_options *options,
                           char *error)
{
    const struct named_value ours[] = {
        {"bootstrap.servers", options->brokers, NULL},
        {"client.id", "vethscope", NULL},
        {"compression.codec", options->compression, NULL},
        {"enable.idempotence", "true", NULL},
        /* For as long as it takes: the outbox decides what is lost. */
        {"message.timeout.ms", "0", NULL},
        /* Beyond any batch, so that its own bounds never count. */
        {"queue.buffering.max.messages", "10000000", NULL},
        {"queue.buffering.max.kbytes", "1048576", NULL},
        {"linger.ms", "5", NULL},
        {"log_level", "0", NULL},
    };
    bool set = true;
    for (size_t i = 0; set && i < sizeof(ours) / sizeof(ours[0]); i++) {
        set = set_property(conf, ours[i].name, ours[i].value, error);
    }
    for (size_t i = 0; set && i < options->property_count; i++) {
        const struct named_value *property = &options->properties[i];
        set = property->value_file != NULL
                  ? set_property_of_file(conf, property, error)
                  : set_property(conf, property->name, property->value, error);
    }
    return set;
}

static void free_producer(struct event_kafka *kafka)
{
    if (kafka->topic != NULL) {
        rd_kafka_topic_destroy(kafka->topic);
        kafka->topic = NULL;
    }
    if (kafka->producer != NULL) {
        rd_kafka_destroy(kafka->producer);
        kafka->producer = NULL;
    }
}

static bool make_producer(struct event_kafka *kafka, char *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (set_properties(conf, &kafka->options, error)) {
        kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, EVENT_KAFKA_ERROR_SIZE);
    }
    if (kafka->producer == NULL) {
        rd_kafka_conf_destroy(conf); /* a producer owns its own */
        return false;
    }
    kafka->topic = rd_kafka_topic_new(kafka->producer, kafka->options.topic, NULL);
    if (kafka->topic == NULL) {
        snprintf(error, EVENT_KAFKA_ERROR_SIZE, "%s", rd_kafka_err2str(rd_kafka_last_error()));
        free_producer(kafka);
        return false;
    }
    return true;
}

struct event_kafka *event_kafka_new(const struct event_kafka_options *options,
                                    char error_out[static EVENT_KAFKA_ERROR_SIZE])
{
    struct event_kafka *kafka = calloc(1, sizeof(*kafka));
    if (kafka == NULL) {
        snprintf(error_out, EVENT_KAFKA_ERROR_SIZE, "out of memory");
        return NULL;
    }
    kafka->options = *options;
    if (!make_producer(kafka, error_out)) {
        free(kafka);
        return NULL;
    }
    return kafka;
}

void event_kafka_free(struct event_kafka *kafka)
{
    if (kafka != NULL) {
        free_producer(kafka);
        free(kafka->states);
        free(kafka);
    }
}

/* ---- a batch ---- */

/* Takes a varint and that many bytes off the front. */
static bool take_part(struct text *rest, struct text *part_out)
{
    uint64_t length = 0;
    unsigned shift = 0;
    unsigned char byte = 0x80;
    while ((byte & 0x80) != 0) {
        if (rest->length == 0 || shift > 56) {
            return false;
        }
        byte = (unsigned char)*rest->data++;
        rest->length--;
        length |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    }
    if (length > rest->length) {
        return false;
    }
    *part_out = (struct text){rest->data, (size_t)length};
    rest->data += length;
    rest->length -= (size_t)length;
    return true;
}

static void produce(struct event_kafka *kafka, size_t index, struct text key, struct text message)
{
    union {
        const char *from;
        void *to;
    } value = {message.data};                /* copied, not written to */
    void *opaque = (void *)(uintptr_t)index; /* NOLINT(performance-no-int-to-ptr) */
    if (rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value.to,
                         message.length, key.data, key.length, opaque) == 0) {
        kafka->states[index] = ITEM_UNDER_WAY;
        kafka->under_way++;
    } else {
        settle(kafka, index, rd_kafka_last_error());
    }
}

/* Everything of the batch that is not settled. */
static void produce_all(struct event_kafka *kafka, const struct outbox_batch *batch)
{
    struct text rest = {batch->bytes.data, batch->bytes.length};
    struct text key;
    struct text message;
    for (size_t i = 0; i < batch->items && take_part(&rest, &key) && take_part(&rest, &message);
         i++) {
        if (kafka->states[i] == ITEM_WAITS) {
            produce(kafka, i, key, message);
        }
    }
}

static void wait_for_all(struct event_kafka *kafka)
{
    /* Not rd_kafka_flush, under which its threads poll without a pause. */
    while (kafka->under_way > 0 && !kafka->fatal && sender_patience_ms(kafka->sender) > 0) {
        rd_kafka_poll(kafka->producer, POLL_MS);
    }
    if (kafka->under_way > 0) {
        rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(kafka->producer, PURGE_MS);
    }
}

/* A batch that was not seen before has no state. */
static bool begin_batch(struct event_kafka *kafka, const struct outbox_batch *batch)
{
    if (kafka->state_count > 0) {
        return true;
    }
    unsigned char *states = realloc(kafka->states, batch->items);
    if (states == NULL) {
        return false;
    }
    memset(states, ITEM_WAITS, batch->items);
    kafka->states = states;
    kafka->state_count = batch->items;
    return true;
}

static struct sender_reply retry(const struct event_kafka *kafka)
{
    return (struct sender_reply){.verdict = SENDER_RETRY,
                                 .delivered_items = kafka->delivered,
                                 .lost_items = kafka->lost,
                                 .error = kafka->error};
}

static bool renew_producer(struct event_kafka *kafka)
{
    if (kafka->fatal || kafka->under_way > 0) {
        /* Messages that did not come back in time end with their producer. */
        free_producer(kafka);
        kafka->under_way = 0;
        kafka->fatal = false;
    }
    return kafka->producer != NULL || make_producer(kafka, kafka->error);
}

struct sender_reply event_kafka_deliver(void *context, const struct outbox_batch *batch)
{
    struct event_kafka *kafka = context;
    kafka->delivered = 0;
    kafka->lost = 0;
    if (!renew_producer(kafka) || !begin_batch(kafka, batch)) {
        return retry(kafka);
    }
    produce_all(kafka, batch);
    wait_for_all(kafka);
    bool all = true;
    for (size_t i = 0; i < kafka->state_count; i++) {
        if (kafka->states[i] != ITEM_SETTLED) {
            kafka->states[i] = ITEM_WAITS;
            all = false;
        }
    }
    struct sender_reply reply = retry(kafka);
    if (all) {
        kafka->state_count = 0;
        reply.verdict = SENDER_DELIVERED;
    }
    return reply;
}
