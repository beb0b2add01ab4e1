#pragma once

#include "http_parser/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Message heads of HTTP/1.x (RFC 9112 sections 2 to 5). Nothing is allocated or copied: what is
 * returned are slices of the caller's bytes, valid as long as those bytes stay where they are.
 */

enum http_result {
    HTTP_DONE,
    HTTP_INCOMPLETE, /* can be a head so far: call again with the same bytes and more behind them */
    HTTP_INVALID,    /* no HTTP/1.x head can start with these bytes */
};

/* A first word longer than this is no method; real ones end at 17. It bounds how many bytes that
 * are no HTTP/1.x, and have no line end, can look like the beginning of it. */
#define HTTP_METHOD_LENGTH_MAX 64

/* The fields whose values an observer uses; the first line of a field that occurs more than once.
 */
enum http_field {
    HTTP_FIELD_HOST,
    HTTP_FIELD_USER_AGENT,
    HTTP_FIELD_TRACEPARENT,
    HTTP_FIELD_B3,
    HTTP_FIELD_X_B3_TRACEID,
    HTTP_FIELD_X_B3_SPANID,
    HTTP_FIELD_X_B3_SAMPLED,
    HTTP_FIELD_UBER_TRACE_ID,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_COUNT,
};

/* What the field lines say about the message; bits of http_head.flags. */
enum http_head_flag {
    HTTP_HEAD_CONTENT_LENGTH = 1u << 0,  /* a valid Content-Length: content_length holds it */
    HTTP_HEAD_CHUNKED = 1u << 1,         /* chunked is the final transfer coding */
    HTTP_HEAD_OTHER_CODING = 1u << 2,    /* a Transfer-Encoding whose final coding is not chunked */
    HTTP_HEAD_CLOSE = 1u << 3,           /* the connection does not persist (section 9.3) */
    HTTP_HEAD_UPGRADE = 1u << 4,         /* Connection: upgrade */
    HTTP_HEAD_EXPECT_CONTINUE = 1u << 5, /* Expect: 100-continue */
    HTTP_HEAD_AMBIGUOUS = 1u << 6,       /* two readers may frame it differently (section 11.2) */
};

struct http_head {
    struct http_slice method; /* requests */
    struct http_slice target; /* requests: as sent, in whichever of the four forms */
    struct http_slice reason; /* responses */
    struct http_slice field[HTTP_FIELD_COUNT];
    uint64_t content_length;
    size_t length; /* of the whole head, its empty line included */
    uint32_t flags;
    uint16_t status; /* responses: 100 to 999 */
    uint8_t minor_version;
};

/*
 * Reads the head at the start of `bytes`, empty lines before it included. `scanned` is 0 at the
 * first call for a head and is kept by the caller between the calls; its value is the parser's own.
 * With it no byte is searched for the end of the head twice, and whatever the pieces the whole head
 * is read twice at most (four times when it is faulty).
 * On HTTP_DONE `head_out` is filled; otherwise it is untouched.
 *
 * A first line that is not HTTP/1.x is HTTP_INVALID, as early as its bytes tell. Nothing behind it
 * is: a field line without a colon or with a bad name is passed over, white space before a colon
 * and control characters are accepted, and each sets HTTP_HEAD_AMBIGUOUS. See README.md for every
 * such case and the reading chosen.
 */
enum http_result http_request_head_parse(const char *bytes, size_t length, size_t *scanned,
                                         struct http_head *head_out);
enum http_result http_response_head_parse(const char *bytes, size_t length, size_t *scanned,
                                          struct http_head *head_out);

/* What a connection's first bytes are; decided by the bytes alone, never by a port. */
enum http_sniff {
    HTTP_SNIFF_UNDECIDED, /* all of the bytes fit HTTP/1.x, but they end too early to be sure */
    HTTP_SNIFF_REQUEST,   /* a whole request line of HTTP/1.x */
    HTTP_SNIFF_RESPONSE,  /* the start of a status line of HTTP/1.x */
    HTTP_SNIFF_HTTP09,    /* a simple request of HTTP/0.9: "GET /path" and the line's end */
    HTTP_SNIFF_OTHER,
};
enum http_sniff http_sniff(const char *bytes, size_t length);
