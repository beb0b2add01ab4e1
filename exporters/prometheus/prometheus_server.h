#pragma once

#include "exporters/metric_set.h"
#include "exporters/prometheus/listen_socket.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest error text, terminator included. */
#define PROMETHEUS_SERVER_ERROR_SIZE 256

/*
 * GET and HEAD of /metrics, /healthz and /readyz over HTTP; /metrics in the format and coding that
 * the request asks for. Each connection has a thread of its own, so the callbacks run in several
 * threads at once and a slow one keeps no other waiting.
 */
struct prometheus_server_options {
    struct listen_address address;
    const char *listen; /* what that is called in errors */
    bool native;        /* native histograms, in protobuf */
    bool created;       /* `_created` lines, in OpenMetrics */
    void *context;      /* of the callbacks */
    /* Writes all families; returns 0 or -errno (the scrape is answered with 500). The server's own
     * follow. */
    int (*render)(void *context, const struct metric_sink *sink);
    /* NULL: all is well; else why not, in a few words: answered with 503. */
    const char *(*not_ready)(void *context);
    const char *(*not_healthy)(void *context);
};

struct prometheus_server;

/* Listens and answers from now on. Returns 0, or -errno (-EADDRINUSE, ...) with one line in
 * `error_out`, as "cannot listen on :9990: address in use". */
int prometheus_server_start(const struct prometheus_server_options *options,
                            struct prometheus_server **server_out,
                            char error_out[static PROMETHEUS_SERVER_ERROR_SIZE]);

/* The port it listens on. */
uint16_t prometheus_server_port(const struct prometheus_server *server);

/* Ends all connections; no callback runs afterwards. NULL is fine. */
void prometheus_server_stop(struct prometheus_server *server);
