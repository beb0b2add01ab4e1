#pragma once

#include "http_parser/walk.h"

#include <stdbool.h>

/* The ways to read field lines; the first, the careful reader alone, is every machine's. */
enum http_machine {
    HTTP_MACHINE_PORTABLE,
    HTTP_MACHINE_SSE42,
    HTTP_MACHINE_AVX2,
    HTTP_MACHINE_NEON,
    HTTP_MACHINE_COUNT,
};

/* The best walker that the processor can run, found out at the first call. Any thread. */
enum http_walk http_machine_walk(const char *bytes, const char *at, const char *end,
                                 struct http_walk_found *found);

/* For tests and benchmarks: from now on this one, in all threads. False, and nothing changed: the
 * processor cannot run it. */
bool http_machine_force(enum http_machine machine);

const char *http_machine_name(enum http_machine machine);
