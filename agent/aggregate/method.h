#pragma once

#include "agent/base/slice.h"

/* The methods that have a label of their own: RFC 9110 section 9.3, PATCH (RFC 5789) and QUERY.
 * Anything else is one label, so a peer cannot make series by inventing methods. */
enum method {
    METHOD_OTHER,
    METHOD_CONNECT,
    METHOD_DELETE,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_POST,
    METHOD_PUT,
    METHOD_QUERY,
    METHOD_TRACE,
};

/* Any but GET. */
enum method method_find(struct slice name);

/* Methods are case-sensitive (RFC 9110 section 9.1). */
static inline enum method method_of(struct slice name)
{
    bool get = name.length == 3 && memcmp(name.data, "GET", 3) == 0; /* by far the most frequent */
    return get ? METHOD_GET : method_find(name);
}

/* "_OTHER", "CONNECT", ... */
const char *method_name(enum method method);
