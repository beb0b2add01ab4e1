#pragma once

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* What can be read of TLS before anything is encrypted (RFC 8446 sections 4.1.2 and 5.1). */

enum tls_hello {
    TLS_HELLO_NONE, /* no client hello, or one that names no server */
    TLS_HELLO_INCOMPLETE,
    TLS_HELLO_NAME,
};

/* Whether the bytes begin with a TLS record of any kind. */
bool tls_is_record(const char *bytes, size_t length);

/* The server's name that a client asks for in its first record (SNI, RFC 6066 section 3); set for
 * TLS_HELLO_NAME alone, points into the bytes, and holds none but a host name's. */
enum tls_hello tls_hello_name(const char *bytes, size_t length, struct slice *name_out);
