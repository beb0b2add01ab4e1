#pragma once

#include "http_parser/stream.h"

/* A head and what is to be read from it; NULL: absent. The text may hold zero bytes. */
struct head_case {
    const char *bytes;
    size_t length;
    enum http_result result; /* of the whole text; DONE must use all of it */
    const char *method;
    const char *target;
    const char *reason;
    const char *host;
    uint64_t content_length;
    uint32_t flags;
    uint16_t status;
    uint8_t minor_version;
};

/* With each implementation that the processor can run: parses the case whole, and with every cut,
 * behind which it must be HTTP_INCOMPLETE (or, when the whole is HTTP_INVALID, that from some cut
 * on). */
void head_check(enum http_kind kind, const struct head_case *expected);
