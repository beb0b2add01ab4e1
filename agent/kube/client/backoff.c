#include "agent/kube/client/backoff.h"

#define NS_PER_S INT64_C(1000000000)
#define FIRST_WAIT_NS NS_PER_S
/* With this, what is known is never older than a minute once the server is back. */
#define LONGEST_WAIT_NS (30 * NS_PER_S)
#define LONGEST_ASKED_S 60

void backoff_init(struct backoff *backoff, uint64_t seed)
{
    backoff->random = seed | 1;
}

/* xorshift64*: jitter needs no better. */
static uint64_t next_random(struct backoff *backoff)
{
    uint64_t x = backoff->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    backoff->random = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

uint64_t backoff_between(struct backoff *backoff, uint64_t low, uint64_t high)
{
    return low + (next_random(backoff) >> 8) % (high - low + 1);
}

int64_t backoff_wait_ns(struct backoff *backoff, unsigned failures, unsigned asked_s)
{
    int64_t wait = FIRST_WAIT_NS;
    for (unsigned i = 1; i < failures && wait < LONGEST_WAIT_NS; i++) {
        wait *= 2;
    }
    if (wait > LONGEST_WAIT_NS) {
        wait = LONGEST_WAIT_NS;
    }
    wait = (int64_t)backoff_between(backoff, (uint64_t)wait / 2, (uint64_t)wait);
    int64_t asked = (asked_s < LONGEST_ASKED_S ? asked_s : LONGEST_ASKED_S) * NS_PER_S;
    return wait > asked ? wait : asked;
}
