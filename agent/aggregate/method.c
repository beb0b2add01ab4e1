#include "agent/aggregate/method.h"

#include <stddef.h>

static const char *const names[] = {
    [METHOD_OTHER] = "_OTHER", [METHOD_CONNECT] = "CONNECT", [METHOD_DELETE] = "DELETE",
    [METHOD_GET] = "GET",      [METHOD_HEAD] = "HEAD",       [METHOD_OPTIONS] = "OPTIONS",
    [METHOD_PATCH] = "PATCH",  [METHOD_POST] = "POST",       [METHOD_PUT] = "PUT",
    [METHOD_QUERY] = "QUERY",  [METHOD_TRACE] = "TRACE",
};
#define METHOD_COUNT (sizeof(names) / sizeof(names[0]))

static bool is(enum method method, struct slice name)
{
    return slice_equal(slice_of(names[method]), name);
}

enum method method_of(struct slice name)
{
    if (is(METHOD_GET, name)) { /* by far the most frequent */
        return METHOD_GET;
    }
    for (size_t i = METHOD_OTHER + 1; i < METHOD_COUNT; i++) {
        if (is((enum method)i, name)) {
            return (enum method)i;
        }
    }
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return names[method];
}
