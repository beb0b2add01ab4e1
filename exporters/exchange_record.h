#pragma once

#include "exporters/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One exchange as every event format is written from it. All texts lie between `side` and `status`.
 * Absent: data NULL, RECORD_UNKNOWN for numbers, 0 for the status. Texts are the peer's bytes;
 * writers escape them.
 */
#define RECORD_UNKNOWN UINT64_MAX
#define RECORD_TIME_UNKNOWN INT64_MIN /* of time_ns */

/* What the request said about recording its trace. */
enum record_sampling {
    RECORD_SAMPLING_OPEN,
    RECORD_NOT_SAMPLED,
    RECORD_SAMPLED
};

struct exchange_record {
    int64_t time_ns; /* since the epoch: first byte of the request, else of the response */
    struct text side;
    struct text client; /* "10.0.0.1:40312" */
    struct text server;
    struct text client_namespace; /* names are absent where nobody knows the address */
    struct text client_service;
    struct text client_kind; /* "Deployment", ...; these three where Kubernetes is known */
    struct text client_pod;
    struct text client_node;
    struct text server_namespace;
    struct text server_service;
    struct text server_kind;
    struct text server_pod;
    struct text server_node;
    struct text called_namespace; /* of the Kubernetes Service in front of the server */
    struct text called_service;
    struct text method;
    struct text target;
    struct text route;
    struct text host;
    struct text user_agent;
    struct text trace_id;
    struct text version; /* "1.1" */
    struct text outcome;
    struct text reason; /* with request_only and response_only */
    uint16_t status;
    const uint16_t *interim;
    size_t interim_count;
    bool ambiguous;
    enum record_sampling sampling;
    uint64_t parent_span_id; /* the span that asked; 0: none */
    uint64_t request_body_bytes;
    uint64_t response_body_bytes;
    uint64_t request_ns; /* durations */
    uint64_t server_ns;
    uint64_t response_ns;
    uint64_t duration_ns;
    uint64_t connect_ns;
};
