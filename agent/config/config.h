#pragma once

#include "agent/config/events.h"
#include "agent/config/kubernetes.h"
#include "agent/config/otlp.h"
#include "agent/kube/directory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of strings of the configuration file. */
struct config_strings {
    char **items;
    size_t count;
};

/* Where a named interface is looked at from: inside the pod (sidecar) or on the node. */
enum config_vantage {
    CONFIG_VANTAGE_AUTO,
    CONFIG_VANTAGE_NODE,
    CONFIG_VANTAGE_POD
};

struct config_capture {
    struct config_strings interfaces; /* names and globs; empty: every pod link */
    enum config_vantage vantage;
    char *filter;              /* pcap-filter(7) expression, "" for none */
    uint64_t ring_bytes;       /* per worker */
    unsigned block_timeout_ms; /* longest time a packet waits in a block that is not full */
    unsigned workers;
};

struct config_tcp {
    unsigned flow_idle_timeout_s;
    unsigned reorder_packets; /* how many packets of a worker a missing segment may come late */
};

struct config_http {
    uint64_t max_head_bytes;
    uint64_t max_target_bytes; /* longer targets are cut in what is reported */
    uint16_t *server_ports;    /* known servers' ports, for connections whose start was not seen */
    size_t server_port_count;
};

struct config_routes {
    struct config_strings patterns; /* "/api/users/{id}"; "{name}" fits one path segment */
    unsigned max_per_service;
};

struct config_metrics {
    char *listen;             /* "ADDR:PORT", "[V6]:PORT" or ":PORT" */
    double *duration_buckets; /* seconds, ascending; never NULL */
    size_t duration_bucket_count;
    unsigned max_series; /* sample lines of a worker */
    unsigned series_idle_timeout_s;
    bool body_sizes;             /* the body size families */
    bool native_histograms;      /* beside the classic ones, for scrapes in protobuf */
    unsigned native_schema;      /* 2^schema exponential buckets for each power of two */
    unsigned native_max_buckets; /* of one histogram */
    bool created_lines;          /* `_created` in OpenMetrics */
};

struct config_memory {
    uint64_t limit; /* bytes; sizes every pool at the start */
};

/* One exclude or include rule; an absent pattern (NULL) fits everything. Globs. */
struct config_rule {
    bool exclude;
    char *namespace;
    char *service;
    char *route;
    char *user_agent;
};

struct config {
    struct config_capture capture;
    struct config_tcp tcp;
    struct config_http http;
    struct config_routes routes;
    struct config_metrics metrics;
    struct config_memory memory;
    struct config_kubernetes kubernetes;
    struct config_events events;
    struct config_otlp otlp;
    struct directory_entry *names; /* strings are owned by the config */
    size_t name_count;
    struct config_rule *rules; /* the first that fits decides; none fits: included */
    size_t rule_count;
    char *log_level;
};

/* Longest error text, terminator included. */
#define CONFIG_ERROR_SIZE 512

/* A configuration with every default. NULL: out of memory. */
struct config *config_new(void);
void config_free(struct config *config);

/* Reads a YAML file ("-": standard input) over the defaults. Returns NULL and writes one line
 * "FILE:LINE:COLUMN: key: what is wrong" (without a newline) when anything in it is wrong. */
struct config *config_read(const char *path, char error_out[static CONFIG_ERROR_SIZE]);

/* The same for the bytes of a file that is called `name`. */
struct config *config_read_memory(const char *name, const char *bytes, size_t length,
                                  char error_out[static CONFIG_ERROR_SIZE]);

/* Reads "ADDR:PORT", "[V6]:PORT" or ":PORT" (then the address is "::": every one, of both
 * families). Names are not resolved, port 0 is none. Returns 0 or -EINVAL; the output is untouched
 * then. */
int config_listen_parse(const char *text, struct endpoint *endpoint_out);
