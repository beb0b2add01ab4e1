#include "exporters/events/events_exporter.h"

#include "exporters/events/event_protobuf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/*
 * A record is encoded once, on the delivery thread, and its bytes are appended to each receiver's
 * outbox: to the file's and HTTP's as they are, to Kafka's with the key in front.
 */

#define NS_PER_SECOND INT64_C(1000000000)
/* A file is written in portions of this, and of half its size at most: a portion overshoots by one
 * event, the file must not. */
#define FILE_BATCH_BYTES ((size_t)1 << 20)
#define FILE_BATCHES_LEAST 2
/* One of librdkafka's requests: while several wait, its threads poll without a pause. */
#define KAFKA_BATCH_BYTES ((size_t)900 << 10)
/* librdkafka gathers by itself. */
#define KAFKA_BATCH_MS 50
/* A namespace, a slash and a service; longer keys are cut. */
#define KEY_MAX 512

enum receiver_kind {
    RECEIVER_FILE,
    RECEIVER_HTTP,
    RECEIVER_KAFKA
};

static_assert(RECEIVER_KAFKA + 1 == EVENTS_RECEIVERS_MAX, "one of each kind");

struct receiver {
    struct exporter_health health;
    struct sender *sender; /* NULL: not configured */
};

struct events_exporter {
    struct event_filter *filter;
    struct event_protobuf encoder;
    struct byte_writer event;
    struct receiver receivers[EVENTS_RECEIVERS_MAX];
    struct event_file *file;
    struct http_post *post;
    struct event_kafka *kafka;
};

/* ---- on the worker's threads ---- */

static int64_t coarse_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static bool on_wants(void *context, const struct exchange_record *record)
{
    const struct events_exporter *exporter = context;
    return event_filter_wants(exporter->filter, record, coarse_now_ns());
}

static void on_lose(void *context, enum exporter_loss loss, uint64_t records)
{
    struct events_exporter *exporter = context;
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            exporter_health_add(&exporter->receivers[i].health.accepted, records);
            exporter_health_lose(&exporter->receivers[i].health, loss, records);
        }
    }
}

/* ---- on the delivery thread ---- */

static void put(char *key, size_t *length, struct text text)
{
    size_t room = KEY_MAX - *length;
    size_t count = text.length < room ? text.length : room;
    if (count > 0) {
        memcpy(key + *length, text.data, count);
        *length += count;
    }
}

/* "namespace/service" of who was asked, or its address and port where nobody knows it: what one
 * service was asked stays in order, in one partition. */
static struct text key_of(const struct exchange_record *record, char key[static KEY_MAX])
{
    size_t length = 0;
    if (record->server_service.length == 0) {
        put(key, &length, record->server);
    } else {
        put(key, &length, record->server_namespace);
        put(key, &length, text_of("/"));
        put(key, &length, record->server_service);
    }
    return (struct text){key, length};
}

static size_t put_length(char *at, size_t length)
{
    size_t count = 0;
    while (length > 0x7f) {
        at[count++] = (char)(length | 0x80);
        length >>= 7;
    }
    at[count++] = (char)length;
    return count;
}

static void append_for_kafka(struct sender *sender, const struct exchange_record *record,
                             struct text event)
{
    char key[KEY_MAX];
    char key_length[4];
    struct text key_text = key_of(record, key);
    struct text parts[] = {{key_length, put_length(key_length, key_text.length)}, key_text, event};
    sender_append(sender, parts, sizeof(parts) / sizeof(parts[0]));
}

static void on_take(void *context, const struct exchange_record *record)
{
    struct events_exporter *exporter = context;
    byte_writer_reset(&exporter->event);
    event_protobuf_append(&exporter->encoder, record, &exporter->event);
    if (exporter->event.failed) {
        on_lose(exporter, EXPORTER_LOSS_MEMORY, 1);
        return;
    }
    struct text event = {exporter->event.data, exporter->event.length};
    struct receiver *receivers = exporter->receivers;
    if (receivers[RECEIVER_FILE].sender != NULL) {
        sender_append(receivers[RECEIVER_FILE].sender, &event, 1);
    }
    if (receivers[RECEIVER_HTTP].sender != NULL) {
        sender_append(receivers[RECEIVER_HTTP].sender, &event, 1);
    }
    if (receivers[RECEIVER_KAFKA].sender != NULL) {
        append_for_kafka(receivers[RECEIVER_KAFKA].sender, record, event);
    }
}

static void on_tick(void *context)
{
    struct events_exporter *exporter = context;
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            sender_commit(exporter->receivers[i].sender);
        }
    }
}

struct delivery_outlet events_exporter_outlet(struct events_exporter *exporter)
{
    return (struct delivery_outlet){
        .context = exporter, .wants = on_wants, .lose = on_lose, .take = on_take, .tick = on_tick};
}

/* ---- making ---- */

static int fail(char *error, const char *what, const char *why)
{
    snprintf(error, EVENTS_ERROR_SIZE, "%s: %s", what, why);
    return -EINVAL;
}

static struct sender_options sender_options_of(const struct events_options *options,
                                               struct receiver *receiver, const char *name)
{
    receiver->health.exporter = name;
    return (struct sender_options){.outbox = {.queue_bytes = options->queue_bytes,
                                              .spool_bytes = options->spool_bytes,
                                              .health = &receiver->health},
                                   .retry_max_ms = options->retry_max_ms,
                                   .note = options->note};
}

/* Makes the sender, with a spool of its own in the folder of that name (NULL: none). */
static int make_sender(struct receiver *receiver, struct sender_options *sender,
                       const char *spool_path, const char *folder, char *error)
{
    char *path = NULL;
    char reason[OUTBOX_ERROR_SIZE] = "out of memory";
    if (spool_path != NULL && folder != NULL) {
        (void)mkdir(spool_path, 0700); /* what is wrong with it shows below */
        if (asprintf(&path, "%s/%s", spool_path, folder) < 0) {
            return fail(error, "events", reason);
        }
    }
    sender->outbox.spool_path = path;
    receiver->sender = sender_new(sender, reason);
    free(path);
    return receiver->sender != NULL ? 0 : fail(error, "events.spool", reason);
}

static int make_file(struct events_exporter *exporter, const struct events_options *options,
                     char *error)
{
    struct receiver *receiver = &exporter->receivers[RECEIVER_FILE];
    struct sender_options sender = sender_options_of(options, receiver, "events_file");
    struct event_file_options file = options->file;
    file.path = options->file_path;
    int status = event_file_open(&file, &exporter->file);
    if (status != 0) {
        return fail(error, options->file_path, strerrordesc_np(-status));
    }
    uint64_t portion = file.max_bytes / FILE_BATCHES_LEAST;
    sender.batch_bytes = portion < FILE_BATCH_BYTES ? (size_t)portion : FILE_BATCH_BYTES;
    sender.batch_ms = options->file_flush_ms;
    sender.context = exporter->file;
    sender.deliver = event_file_deliver;
    sender.idle = event_file_idle;
    return make_sender(receiver, &sender, NULL, NULL, error);
}

static int64_t http_patience(const void *context)
{
    const struct receiver *receiver = context;
    return sender_patience_ms(receiver->sender);
}

static int make_http(struct events_exporter *exporter, const struct events_options *options,
                     char *error)
{
    struct receiver *receiver = &exporter->receivers[RECEIVER_HTTP];
    struct sender_options sender = sender_options_of(options, receiver, "events_http");
    struct http_post_options post = options->http;
    int status = 0;
    post.url = options->http_url;
    post.content_type = EVENT_HTTP_CONTENT_TYPE;
    post.patience_ms = http_patience;
    post.context = receiver;
    exporter->post = http_post_new(&post, &status);
    if (exporter->post == NULL) {
        /* Not the URL itself, which may hold a password. */
        return fail(error, "events.http.url",
                    status == -EINVAL ? "not an http or https URL" : "out of memory");
    }
    sender.batch_bytes = options->http_batch_bytes;
    sender.batch_ms = options->http_batch_ms;
    sender.context = exporter->post;
    sender.deliver = event_http_deliver;
    return make_sender(receiver, &sender, options->spool_path, "http", error);
}

static int make_kafka(struct events_exporter *exporter, const struct events_options *options,
                      char *error)
{
    struct receiver *receiver = &exporter->receivers[RECEIVER_KAFKA];
    struct sender_options sender = sender_options_of(options, receiver, "events_kafka");
    struct event_kafka_options kafka = options->kafka;
    char reason[EVENT_KAFKA_ERROR_SIZE];
    kafka.health = &receiver->health;
    exporter->kafka = event_kafka_new(&kafka, reason);
    if (exporter->kafka == NULL) {
        return fail(error, "events.kafka", reason);
    }
    sender.batch_bytes = KAFKA_BATCH_BYTES;
    sender.batch_ms = KAFKA_BATCH_MS;
    sender.context = exporter->kafka;
    sender.deliver = event_kafka_deliver;
    int status = make_sender(receiver, &sender, options->spool_path, "kafka", error);
    event_kafka_set_sender(exporter->kafka, receiver->sender);
    return status;
}

static int make_receivers(struct events_exporter *exporter, const struct events_options *options,
                          char *error)
{
    int status = options->file_path != NULL ? make_file(exporter, options, error) : 0;
    if (status == 0 && options->http_url != NULL) {
        status = make_http(exporter, options, error);
    }
    if (status == 0 && options->kafka.brokers != NULL) {
        status = make_kafka(exporter, options, error);
    }
    return status;
}

struct events_exporter *events_exporter_new(const struct events_options *options,
                                            char error_out[static EVENTS_ERROR_SIZE])
{
    struct events_exporter *exporter = calloc(1, sizeof(*exporter));
    if (exporter == NULL) {
        fail(error_out, "events", "out of memory");
        return NULL;
    }
    event_protobuf_init(&exporter->encoder);
    byte_writer_init(&exporter->event);
    exporter->filter = event_filter_new(&options->filter);
    if (exporter->filter == NULL) {
        fail(error_out, "events", "out of memory");
        events_exporter_free(exporter);
        return NULL;
    }
    if (make_receivers(exporter, options, error_out) != 0) {
        events_exporter_free(exporter);
        return NULL;
    }
    return exporter;
}

/* ---- life ---- */

int events_exporter_start(struct events_exporter *exporter)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            status = sender_start(exporter->receivers[i].sender);
        }
    }
    return status;
}

void events_exporter_order_stop(struct events_exporter *exporter, int64_t deadline_ns)
{
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            sender_order_stop(exporter->receivers[i].sender, deadline_ns);
        }
    }
}

void events_exporter_stop(struct events_exporter *exporter)
{
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            sender_stop(exporter->receivers[i].sender);
        }
    }
}

void events_exporter_free(struct events_exporter *exporter)
{
    if (exporter == NULL) {
        return;
    }
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        sender_free(exporter->receivers[i].sender);
    }
    event_kafka_free(exporter->kafka);
    http_post_free(exporter->post);
    event_file_close(exporter->file);
    event_filter_free(exporter->filter);
    byte_writer_fini(&exporter->event);
    event_protobuf_fini(&exporter->encoder);
    free(exporter);
}

size_t events_exporter_healths(const struct events_exporter *exporter,
                               const struct exporter_health **healths_out)
{
    size_t count = 0;
    for (size_t i = 0; i < EVENTS_RECEIVERS_MAX; i++) {
        if (exporter->receivers[i].sender != NULL) {
            healths_out[count++] = &exporter->receivers[i].health;
        }
    }
    return count;
}

void events_exporter_write_metrics(const struct events_exporter *exporter,
                                   const struct metric_sink *sink)
{
    event_filter_write_metrics(exporter->filter, sink);
}
