#include "agent/aggregate/method.h"

#include <stdbool.h>
#include <string.h>

static const char *const names[] = {
    [METHOD_OTHER] = "_OTHER", [METHOD_CONNECT] = "CONNECT", [METHOD_DELETE] = "DELETE",
    [METHOD_GET] = "GET",      [METHOD_HEAD] = "HEAD",       [METHOD_OPTIONS] = "OPTIONS",
    [METHOD_PATCH] = "PATCH",  [METHOD_POST] = "POST",       [METHOD_PUT] = "PUT",
    [METHOD_QUERY] = "QUERY",  [METHOD_TRACE] = "TRACE",
};

static enum method other_or(enum method method, bool same)
{
    return same ? method : METHOD_OTHER;
}

enum method method_find(struct slice name)
{
    const char *text = name.data;
    switch (name.length) { /* comparisons of a constant length are a few instructions each */
    case 3:
        return other_or(METHOD_PUT, memcmp(text, "PUT", 3) == 0);
    case 4:
        return memcmp(text, "POST", 4) == 0 ? METHOD_POST
                                            : other_or(METHOD_HEAD, memcmp(text, "HEAD", 4) == 0);
    case 5:
        if (memcmp(text, "PATCH", 5) == 0) {
            return METHOD_PATCH;
        }
        return memcmp(text, "TRACE", 5) == 0
                   ? METHOD_TRACE
                   : other_or(METHOD_QUERY, memcmp(text, "QUERY", 5) == 0);
    case 6:
        return other_or(METHOD_DELETE, memcmp(text, "DELETE", 6) == 0);
    case 7:
        return memcmp(text, "OPTIONS", 7) == 0
                   ? METHOD_OPTIONS
                   : other_or(METHOD_CONNECT, memcmp(text, "CONNECT", 7) == 0);
    }
    return METHOD_OTHER;
}

const char *method_name(enum method method)
{
    return names[method];
}
