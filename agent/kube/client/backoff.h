#pragma once

#include <stdint.h>

/* How long to wait after failures: longer each time, and never in step with others. */
struct backoff {
    uint64_t random; /* state of the jitter */
};

void backoff_init(struct backoff *backoff, uint64_t seed);

/* The wait in ns after `failures` in a row (from 1): half to all of 1 s, 2 s, 4 s, up to 30 s; at
 * least `asked_s`, what the server asked for, as far as that is at most a minute. */
int64_t backoff_wait_ns(struct backoff *backoff, unsigned failures, unsigned asked_s);

/* A number from `low` to `high`. */
uint64_t backoff_between(struct backoff *backoff, uint64_t low, uint64_t high);
