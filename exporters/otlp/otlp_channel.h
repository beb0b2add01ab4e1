#pragma once

#include "exporters/delivery/http_post.h"
#include "exporters/delivery/sender.h"
#include "exporters/otlp/otlp_request.h"
#include "exporters/otlp/otlp_resource.h"

/* What both signals share; everything it points to outlives the exporters. */
struct otlp_options {
    const struct named_value *headers;
    size_t header_count;
    enum compression compression;
    int64_t timeout_ms;
    const char *ca_file; /* these three: NULL for none */
    const char *cert_file;
    const char *key_file;
    struct otlp_extras extras;
    struct otlp_agent agent;
    uint64_t queue_bytes; /* of each signal */
    int64_t retry_max_ms;
    void (*note)(const char *exporter, const char *error); /* as sender_options has it */
};

/*
 * The way of one signal to its URL: a queue of items (otlp_request.h) and a thread that sends them
 * in requests of bounded size, again where the protocol allows it (429, 502, 503, 504, no answer).
 */
struct otlp_channel;

/* `families` as in otlp_request_options. NULL and one line when it cannot be made. */
struct otlp_channel *otlp_channel_new(const struct otlp_options *options, const char *url,
                                      struct exporter_health *health,
                                      struct otlp_family *const *families,
                                      char error_out[static OUTBOX_ERROR_SIZE]);
void otlp_channel_free(struct otlp_channel *channel);

/* To append items to, to start and to stop. */
struct sender *otlp_channel_sender(struct otlp_channel *channel);
