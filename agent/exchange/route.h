#pragma once

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* More segments are cut off with "/{rest}"; APIs that people write are less deep. */
#define ROUTE_SEGMENTS_MAX 16

/* A buffer that holds every route of words that is worth reading. */
#define ROUTE_TEXT_SIZE 256

/*
 * Low-cardinality templates of request targets: "/users/42?x=1" becomes "/users/{id}".
 *
 * Query, fragment and path parameters (from ';' to the next '/') are left out, the absolute form is
 * reduced to its path, and the asterisk and authority forms have no route. Empty segments are
 * dropped ("//a///b" is "/a/b"), a trailing slash is kept. What remains is brought to one form:
 * printable ASCII, any other byte (and '*', '{', '}') as %XX. A peer can write no placeholder.
 * Segments that identifier.h recognises become placeholders: "{id}" and its like, with a file
 * extension kept ("/img/{id}.png").
 */
struct route_patterns;

/* Patterns to try first, in this order: "/api/users/{id}", where "{name}" fits any one segment.
 * One that does not begin with "/" or has more than ROUTE_SEGMENTS_MAX segments fits nothing. The
 * strings are copied. NULL: out of memory. */
struct route_patterns *route_patterns_new(const char *const *patterns, size_t count);
void route_patterns_free(struct route_patterns *patterns);

/* Whether there are none; NULL are none. */
bool route_patterns_is_empty(const struct route_patterns *patterns);

/* The template of a target as it stood in the request line; `patterns` may be NULL. The result lies
 * in `buffer` (ROUTE_TEXT_SIZE bytes are enough in practice): "{other}" when it does not fit,
 * absent (data NULL) when the target has no path. Pure; any thread. */
struct slice route_template(const struct route_patterns *patterns, struct slice target,
                            char *buffer, size_t size);
