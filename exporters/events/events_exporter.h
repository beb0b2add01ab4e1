#pragma once

#include "exporters/delivery/delivery.h"
#include "exporters/events/event_file.h"
#include "exporters/events/event_filter.h"
#include "exporters/events/event_http.h"
#include "exporters/events/event_kafka.h"

/*
 * Exchanges as protobuf events (exporters/proto/vethscope/v1/exchange.proto) to each receiver that
 * is configured: a file, an HTTP endpoint, Kafka. Each has its own queue and thread.
 */
struct events_exporter;

/* Longest error text, terminator included. */
#define EVENTS_ERROR_SIZE 1024
#define EVENTS_RECEIVERS_MAX 3

struct events_options {
    struct event_filter_options filter;
    const char *file_path; /* NULL: no file; all texts outlive the exporter */
    struct event_file_options file;
    int64_t file_flush_ms;
    const char *http_url; /* NULL: none */
    struct http_post_options http;
    uint64_t http_batch_bytes;
    int64_t http_batch_ms;
    struct event_kafka_options kafka; /* brokers NULL: none */
    uint64_t queue_bytes;             /* of each receiver */
    const char *spool_path; /* each but the file has a folder of its own there; NULL: none */
    uint64_t spool_bytes;   /* of each */
    int64_t retry_max_ms;
    void (*note)(const char *exporter, const char *error); /* as a sender's */
};

/* NULL and one line: a receiver cannot be used as configured. Nothing runs before the start, which
 * returns 0 or -errno. */
struct events_exporter *events_exporter_new(const struct events_options *options,
                                            char error_out[static EVENTS_ERROR_SIZE]);
int events_exporter_start(struct events_exporter *exporter);

/* Where the delivery thread takes records to. */
struct delivery_outlet events_exporter_outlet(struct events_exporter *exporter);

/* Behind the end of the delivery thread: what waits is delivered until `deadline_ns`
 * (CLOCK_MONOTONIC), by all receivers at the same time; then waits for that end. */
void events_exporter_order_stop(struct events_exporter *exporter, int64_t deadline_ns);
void events_exporter_stop(struct events_exporter *exporter);

/* Stops as well. NULL is fine. */
void events_exporter_free(struct events_exporter *exporter);

/* The receivers' accounts, EVENTS_RECEIVERS_MAX at most; returns how many. Any thread. */
size_t events_exporter_healths(const struct events_exporter *exporter,
                               const struct exporter_health **healths_out);

/* What the filter left out. Any thread. */
void events_exporter_write_metrics(const struct events_exporter *exporter,
                                   const struct metric_sink *sink);
