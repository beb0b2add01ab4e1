#pragma once

#include "agent/exchange/route.h"

#include <stddef.h>
#include <stdint.h>

/* Entries of each kind; a power of two. */
#define ROUTE_CACHE_SIZE 512
/* Longer paths and routes are not kept: in words of 8 bytes. */
#define ROUTE_CACHE_PATH_WORDS 14
#define ROUTE_CACHE_ROUTE_WORDS 30

/* A route with a number for itself: equal ids are equal routes. */
struct route {
    struct slice text;
    uint64_t id; /* 0: none */
};

struct cached_path {
    uint64_t id; /* of its route; 0: empty */
    uint32_t route;
    uint32_t length;
    uint64_t words[ROUTE_CACHE_PATH_WORDS];
};

struct cached_route {
    uint64_t id; /* 0: empty */
    uint64_t length;
    uint64_t words[ROUTE_CACHE_ROUTE_WORDS];
};

/* The routes of the latest paths. One worker's; empty when all but the patterns is zero. */
struct route_cache {
    const struct route_patterns *patterns; /* not to be changed; NULL: none */
    uint64_t latest_id;
    struct cached_path paths[ROUTE_CACHE_SIZE];
    struct cached_route routes[ROUTE_CACHE_SIZE];
};

/* As route_template; the text lies in `buffer`, or in the cache until the next call. */
struct route route_cache_find(struct route_cache *cache, struct slice target,
                              char buffer[static ROUTE_TEXT_SIZE]);
