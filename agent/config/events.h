#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The section `events`: exchanges as protobuf events, and where they go. */

/* A name with its value, or with a file that holds it: one of the two. */
struct config_named_value {
    char *name;
    char *value;      /* NULL: in the file */
    char *value_file; /* NULL: none */
};

enum config_compression {
    CONFIG_COMPRESSION_NONE,
    CONFIG_COMPRESSION_ZSTD,
    CONFIG_COMPRESSION_GZIP
};

struct config_events_filter {
    bool only_errors;
    unsigned slower_than_ms;   /* 0: any */
    unsigned rate_per_service; /* events a second; 0: any */
};

struct config_events_file {
    char *path; /* "": off */
    uint64_t max_bytes;
    unsigned max_age_s;
    unsigned keep;
    enum config_compression compression; /* none or zstd */
    unsigned flush_ms;
};

struct config_events_http {
    char *url; /* "": off */
    struct config_named_value *headers;
    size_t header_count;
    enum config_compression compression;
    uint64_t batch_bytes;
    unsigned batch_ms;
    unsigned timeout_ms;
    char *ca_file; /* these three: "" for none */
    char *cert_file;
    char *key_file;
};

struct config_events_kafka {
    char *brokers; /* "": off */
    char *topic;
    char *compression; /* as librdkafka calls it */
    struct config_named_value *properties;
    size_t property_count;
};

struct config_events_spool {
    char *directory; /* "": none */
    uint64_t max_bytes;
};

struct config_events {
    struct config_events_filter filter;
    struct config_events_file file;
    struct config_events_http http;
    struct config_events_kafka kafka;
    struct config_events_spool spool;
    uint64_t queue_bytes; /* of each receiver */
    uint64_t ring_bytes;  /* of each worker */
    unsigned retry_max_ms;
};
