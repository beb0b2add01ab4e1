#include "exporters/otlp/otlp_random.h"

#include <sys/random.h>
#include <time.h>

/* Odd, so that counting with it meets every number (Steele, Lea and Flood's SplitMix). */
#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)

void otlp_random_init(struct otlp_random *random)
{
    if (getrandom(random->state, sizeof(random->state), GRND_NONBLOCK) ==
            (ssize_t)sizeof(random->state) &&
        (random->state[0] | random->state[1] | random->state[2] | random->state[3]) != 0) {
        return;
    }
    /* A kernel without entropy yet, early after boot. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (unsigned i = 0; i < 4; i++) {
        random->state[i] = ((uint64_t)now.tv_nsec + i + 1) * GOLDEN_GAMMA + (uint64_t)now.tv_sec;
    }
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t next(uint64_t *state)
{
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t otlp_random_id(struct otlp_random *random)
{
    uint64_t id = 0;
    while (id == 0) {
        id = next(random->state);
    }
    return id;
}
