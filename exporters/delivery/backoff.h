#pragma once

#include <stdint.h>

/*
 * How long to wait before the next attempt: doubled each time up to a bound, a random part of it,
 * so that many agents do not come back at once. Zeroed but for the bounds: nothing has failed.
 */
struct backoff {
    int64_t first_ms;
    int64_t max_ms;
    int64_t next_ms; /* before the random part is taken off; 0: the first */
    uint64_t random;
};

/* A wait between half of the present one and all of it. The receiver's wish (Retry-After; 0: none)
 * is a lower bound, up to `max_ms`. */
int64_t backoff_next(struct backoff *backoff, int64_t wish_ms);

/* It went well: the next failure starts from the beginning. */
void backoff_reset(struct backoff *backoff);
