#pragma once

#include <stddef.h>

/* Names what a connection that is not HTTP/1.x speaks, from the first bytes of one side: "tls",
 * "http2", "ssh", ... or "unknown". A literal; NULL while the bytes end too early to tell. */
const char *protocol_name(const char *bytes, size_t length);
