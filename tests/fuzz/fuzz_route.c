/*
 * Request targets, with and without patterns: a route is printable ASCII without what a peer must
 * not write, and fits its buffer.
 */
#include "agent/exchange/route.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_route(struct slice route, const char *buffer, size_t size)
{
    if (route.data == NULL) {
        require(route.length == 0);
        return;
    }
    require(route.data == buffer && route.length <= size);
    for (size_t i = 0; i < route.length; i++) {
        require(route.data[i] > ' ' && route.data[i] <= '~');
        require(strchr("?#;*\"\\<>", route.data[i]) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const given[] = {"/a/{b}", "/{a}/b/", "/api/users/{id}/x", "/%41/{x}"};
    static struct route_patterns *patterns;
    if (patterns == NULL)
        patterns = route_patterns_new(given, sizeof(given) / sizeof(given[0]));
    require(patterns != NULL);
    if (size < 1)
        return 0;
    /* Both copies end where sanitizers notice. */
    size_t room = data[0];
    size_t length = size - 1;
    char *target = malloc(length + (length == 0));
    char *buffer = malloc(room + (room == 0));
    require(target != NULL && buffer != NULL);
    if (length > 0)
        memcpy(target, data + 1, length);
    struct slice slice = {target, length};
    check_route(route_template(NULL, slice, buffer, room), buffer, room);
    check_route(route_template(patterns, slice, buffer, room), buffer, room);
    free(target);
    free(buffer);
    return 0;
}
