#pragma once

#include "exporters/metric_set.h"

#include <stdint.h>

/* Longest error text, terminator included. */
#define PROMETHEUS_SERVER_ERROR_SIZE 256

/*
 * GET and HEAD of /metrics, /healthz and /readyz over HTTP. Each connection has a thread of its
 * own, so the callbacks run in several threads at once and a slow one keeps no other waiting.
 */
struct prometheus_server_options {
    const char *listen; /* "ADDR:PORT", "[V6]:PORT", or ":PORT" for all addresses; port 0: any */
    void *context;      /* of the callbacks */
    /* Writes all families; returns 0 or -errno (the scrape is answered with 500). */
    int (*render)(void *context, const struct metric_sink *sink);
    /* NULL: all is well; else why not, in a few words: answered with 503. */
    const char *(*not_ready)(void *context);
    const char *(*not_healthy)(void *context);
};

struct prometheus_server;

/* Listens and answers from now on. Returns 0, or -errno (-EINVAL for an address that is none,
 * -EADDRINUSE, ...) with one line in `error_out`, as "cannot listen on :9990: address in use". */
int prometheus_server_start(const struct prometheus_server_options *options,
                            struct prometheus_server **server_out,
                            char error_out[static PROMETHEUS_SERVER_ERROR_SIZE]);

/* The port it listens on. */
uint16_t prometheus_server_port(const struct prometheus_server *server);

/* Ends all connections; no callback runs afterwards. NULL is fine. */
void prometheus_server_stop(struct prometheus_server *server);
