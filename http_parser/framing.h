#pragma once

#include "http_parser/head.h"
#include "http_parser/stream.h"

/*
 * The fields that decide where a message ends (RFC 9112 sections 6 and 9.3), and the decision.
 * The values are added line by line in the order of the head; http_framing_settle comes last.
 */
void http_framing_content_length(struct http_head *head, struct http_slice value);
void http_framing_transfer_encoding(struct http_head *head, struct http_slice value);
void http_framing_connection(struct http_head *head, struct http_slice value);
void http_framing_expect(struct http_head *head, struct http_slice value);
void http_framing_settle(struct http_head *head);

/* How the bytes behind a head are to be read. */
enum http_body {
    HTTP_BODY_LENGTH, /* `length` bytes, 0 when there is no body */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_UNTIL_CLOSE,
    HTTP_BODY_TUNNEL, /* no body, and what follows is not HTTP/1.x */
};

struct http_framing {
    enum http_body body;
    bool ambiguous; /* on top of what the head says of itself */
    uint64_t length;
};

struct http_framing http_framing_request(const struct http_head *head);
struct http_framing http_framing_response(const struct http_head *head,
                                          enum http_request_kind request);
