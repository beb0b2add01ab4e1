#include "exporters/otlp/otlp_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SCOPE_NAME "vethscope"
/* Fields of InstrumentationScope. */
#define FIELD_SCOPE_NAME 1
#define FIELD_SCOPE_VERSION 2
/* A request before compression; receivers refuse bodies of some MiB. */
#define REQUEST_BYTES ((size_t)1 << 20)
/* How long the first item of a request waits for others. */
#define GATHER_MS 1000

struct otlp_channel {
    struct sender *sender;
    struct http_post *post;
    struct exporter_health *health;
    struct otlp_request_options request;
    struct byte_writer scope;
    struct byte_writer body;
    char user_agent[OTLP_NAME_SIZE];
};

/* OTLP 1.x, "OTLP/HTTP Response": all others would fail again. */
static bool is_retryable(long status)
{
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static int64_t patience(const void *context)
{
    const struct otlp_channel *channel = context;
    return sender_patience_ms(channel->sender);
}

static struct sender_reply reject(const char *error)
{
    return (struct sender_reply){.verdict = SENDER_REJECTED, .error = error};
}

/* What a 2xx says: everything was taken, or all but so many items. */
static struct sender_reply accepted(struct otlp_channel *channel,
                                    const struct http_post_reply *reply,
                                    const struct outbox_batch *batch)
{
    struct text answer = {reply->body->data, reply->body->length};
    uint64_t rejected = otlp_request_rejected(answer);
    rejected = rejected < batch->items ? rejected : batch->items;
    exporter_health_lose(channel->health, EXPORTER_LOSS_REJECTED, rejected);
    return (struct sender_reply){.verdict = SENDER_DELIVERED, .lost_items = rejected};
}

static struct sender_reply deliver(void *context, const struct outbox_batch *batch)
{
    struct otlp_channel *channel = context;
    const struct http_post_reply *reply = NULL;
    struct text items = {batch->bytes.data, batch->bytes.length};
    byte_writer_reset(&channel->body);
    if (otlp_request_write(&channel->request, items, &channel->body) != 0) {
        return reject("out of memory");
    }
    struct text body = {channel->body.data, channel->body.length};
    enum http_post_result result = http_post_send(channel->post, body, &reply);
    if (result == HTTP_POST_ACCEPTED) {
        return accepted(channel, reply, batch);
    }
    if (!is_retryable(reply->status)) {
        return reject(reply->error);
    }
    return (struct sender_reply){
        .verdict = SENDER_RETRY, .retry_after_ms = reply->retry_after_ms, .error = reply->error};
}

/* ---- life ---- */

static bool write_scope(struct otlp_channel *channel, struct text version)
{
    otlp_wire_text(&channel->scope, FIELD_SCOPE_NAME, text_of(SCOPE_NAME));
    otlp_wire_text(&channel->scope, FIELD_SCOPE_VERSION, version);
    channel->request.scope = otlp_wire_written(&channel->scope);
    return !channel->scope.failed;
}

static bool open_post(struct otlp_channel *channel, const struct otlp_options *options,
                      const char *url, char *error_out)
{
    struct http_post_options post = {.url = url,
                                     .content_type = "application/x-protobuf",
                                     .user_agent = channel->user_agent,
                                     .headers = options->headers,
                                     .header_count = options->header_count,
                                     .compression = options->compression,
                                     .timeout_ms = options->timeout_ms,
                                     .ca_file = options->ca_file,
                                     .cert_file = options->cert_file,
                                     .key_file = options->key_file,
                                     .patience_ms = patience,
                                     .context = channel};
    int status = 0;
    snprintf(channel->user_agent, sizeof(channel->user_agent), SCOPE_NAME "/%.*s",
             (int)options->agent.version.length, options->agent.version.data);
    channel->post = http_post_new(&post, &status);
    if (channel->post == NULL) {
        snprintf(error_out, OUTBOX_ERROR_SIZE, "%s",
                 status == -EINVAL ? "not an http or https URL" : "out of memory");
    }
    return channel->post != NULL;
}

static bool open_sender(struct otlp_channel *channel, const struct otlp_options *options,
                        char *error_out)
{
    struct sender_options sender = {
        .outbox = {.queue_bytes = options->queue_bytes, .health = channel->health},
        .batch_bytes = REQUEST_BYTES,
        .batch_ms = GATHER_MS,
        .retry_max_ms = options->retry_max_ms,
        .context = channel,
        .deliver = deliver,
        .note = options->note};
    channel->sender = sender_new(&sender, error_out);
    return channel->sender != NULL;
}

struct otlp_channel *otlp_channel_new(const struct otlp_options *options, const char *url,
                                      struct exporter_health *health,
                                      struct otlp_family *const *families,
                                      char error_out[static OUTBOX_ERROR_SIZE])
{
    struct otlp_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
        return NULL;
    }
    channel->health = health;
    channel->request.families = families;
    if (!write_scope(channel, options->agent.version) ||
        !open_post(channel, options, url, error_out) || !open_sender(channel, options, error_out)) {
        otlp_channel_free(channel);
        return NULL;
    }
    return channel;
}

void otlp_channel_free(struct otlp_channel *channel)
{
    if (channel != NULL) {
        sender_free(channel->sender);
        http_post_free(channel->post);
        byte_writer_fini(&channel->scope);
        byte_writer_fini(&channel->body);
        free(channel);
    }
}

struct sender *otlp_channel_sender(struct otlp_channel *channel)
{
    return channel->sender;
}
