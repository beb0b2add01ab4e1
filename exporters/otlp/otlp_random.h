#pragma once

#include <stdint.h>

/*
 * Random ids: xoshiro256** (Blackman and Vigna), seeded by the kernel. They need not be secret,
 * only never the same twice. For one thread.
 */
struct otlp_random {
    uint64_t state[4];
};

void otlp_random_init(struct otlp_random *random);

/* Never 0, which stands for no id. */
uint64_t otlp_random_id(struct otlp_random *random);
