#pragma once

#include "exporters/byte_writer.h"
#include "exporters/delivery/compression.h"
#include "exporters/delivery/header_list.h"

#include <stdbool.h>

/*
 * POSTs bodies to one URL, one at a time, over a connection that is kept (libcurl). What the
 * receiver does is bounded: time, length of its answer, no redirects. For one thread. What the
 * options point to outlives it.
 */
struct http_post;

/* Longest error text, terminator included. */
#define HTTP_POST_ERROR_SIZE 256

struct http_post_options {
    const char *url; /* http or https */
    const char *content_type;
    const char *user_agent;
    const struct named_value *headers;
    size_t header_count;
    enum compression compression;
    int64_t timeout_ms;    /* of a whole exchange, connecting included */
    const char *ca_file;   /* PEM; NULL: the system's authorities */
    const char *cert_file; /* PEM; NULL: no client certificate */
    const char *key_file;
    /* How long may still be waited, in ms; asked while waiting. NULL: as long as it takes. */
    int64_t (*patience_ms)(const void *context);
    const void *context;
};

enum http_post_result {
    HTTP_POST_ACCEPTED, /* 2xx */
    HTTP_POST_RETRY,    /* no answer, a broken one, 408, 425, 429 or 5xx */
    HTTP_POST_REFUSED,  /* any other: it would be the same the next time */
};

struct http_post_reply {
    long status;                      /* 0: there was no answer */
    int64_t retry_after_ms;           /* Retry-After (RFC 9110 section 10.2.3); 0: none */
    struct byte_writer *body;         /* the answer's, as much as is kept */
    char error[HTTP_POST_ERROR_SIZE]; /* "503 Service Unavailable", "connection refused", ... */
};

/* NULL: out of memory, or (-EINVAL in `*status_out`) not an http or https URL. Before threads are
 * made: the first one readies libcurl and TLS for the process. */
struct http_post *http_post_new(const struct http_post_options *options, int *status_out);
void http_post_free(struct http_post *post);

/* The reply is valid until the next call. */
enum http_post_result http_post_send(struct http_post *post, struct text body,
                                     const struct http_post_reply **reply_out);
