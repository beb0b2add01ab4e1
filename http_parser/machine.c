#include "http_parser/machine.h"

#include <stdatomic.h>
#include <stddef.h>

/*
 * The one thing the parser remembers between calls. Every thread finds out the same, so it does not
 * matter which of them stores it first, nor when the others see it.
 */
static http_walker walk_first;
static _Atomic(http_walker *) chosen = walk_first;

/* All heads are for the careful reader. */
static enum http_walk walk_portable(const char *bytes, const char *at, const char *end,
                                    struct http_walk_found *found)
{
    (void)bytes;
    (void)at;
    (void)end;
    (void)found;
    return HTTP_WALK_ODD;
}

/* NULL: this processor cannot run it. */
static http_walker *find_walker(enum http_machine machine)
{
    switch (machine) {
    case HTTP_MACHINE_PORTABLE:
        return walk_portable;
    case HTTP_MACHINE_SSE42:
#ifdef HTTP_WALK_X86
        return __builtin_cpu_supports("sse4.2") ? http_walk_sse42 : NULL;
#else
        return NULL;
#endif
    case HTTP_MACHINE_AVX2:
#ifdef HTTP_WALK_X86
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                       __builtin_cpu_supports("bmi2")
                   ? http_walk_avx2
                   : NULL;
#else
        return NULL;
#endif
    case HTTP_MACHINE_NEON:
#ifdef HTTP_WALK_NEON
        return http_walk_neon; /* part of every such processor */
#else
        return NULL;
#endif
    case HTTP_MACHINE_COUNT:
        break;
    }
    return NULL;
}

static enum http_walk walk_first(const char *bytes, const char *at, const char *end,
                                 struct http_walk_found *found)
{
    int machine = HTTP_MACHINE_COUNT - 1;
    while (!http_machine_force((enum http_machine)machine))
        machine--;
    return http_machine_walk(bytes, at, end, found);
}

enum http_walk http_machine_walk(const char *bytes, const char *at, const char *end,
                                 struct http_walk_found *found)
{
    http_walker *walk = atomic_load_explicit(&chosen, memory_order_relaxed);
    return walk(bytes, at, end, found);
}

bool http_machine_force(enum http_machine machine)
{
    http_walker *walker = find_walker(machine);
    if (walker != NULL)
        atomic_store_explicit(&chosen, walker, memory_order_relaxed);
    return walker != NULL;
}

const char *http_machine_name(enum http_machine machine)
{
    static const char *const names[HTTP_MACHINE_COUNT] = {
        [HTTP_MACHINE_PORTABLE] = "portable",
        [HTTP_MACHINE_SSE42] = "SSE4.2",
        [HTTP_MACHINE_AVX2] = "AVX2",
        [HTTP_MACHINE_NEON] = "NEON",
    };
    return names[machine];
}
