#include "exporters/delivery/backoff.h"

#include <sys/random.h>

/* xorshift64: good enough to spread waits, and never 0. */
static uint64_t next_random(struct backoff *backoff)
{
    if (backoff->random == 0) {
        (void)!getrandom(&backoff->random, sizeof(backoff->random), GRND_NONBLOCK);
        backoff->random |= 1;
    }
    uint64_t value = backoff->random;
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
    backoff->random = value;
    return value;
}

int64_t backoff_next(struct backoff *backoff, int64_t wish_ms)
{
    int64_t base = backoff->next_ms == 0 ? backoff->first_ms : backoff->next_ms;
    base = base < backoff->max_ms ? base : backoff->max_ms;
    backoff->next_ms = base * 2;
    int64_t half = base / 2;
    int64_t wait = half + (int64_t)(next_random(backoff) % (uint64_t)(base - half + 1));
    int64_t wish = wish_ms < backoff->max_ms ? wish_ms : backoff->max_ms;
    return wait > wish ? wait : wish;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = 0;
}
