#include "agent/aggregate/tally.h"

#include "agent/aggregate/region.h"

#include <errno.h>

/*
 * Tallies are where their key's hash says, and whoever comes later takes the place: what is thrown
 * out costs its next exchange the look-ups that it saves the others. Nothing has to be told that a
 * tally is gone, since a remembered number is worth only as much as the key that is found there.
 */

int tally_init(struct aggregate_shard *shard)
{
    uint32_t size = region_index_size(shard->histograms.capacity);
    if (size > UINT32_C(1) << TALLY_BITS_MAX) {
        size = UINT32_C(1) << TALLY_BITS_MAX;
    }
    shard->tally_mask = size - 1;
    shard->removals = 1;
    shard->tallies = region_reserve((size_t)size + 1, sizeof(*shard->tallies));
    return shard->tallies == NULL ? -ENOMEM : 0;
}

void tally_fini(struct aggregate_shard *shard)
{
    region_free(shard->tallies, (size_t)shard->tally_mask + 2, sizeof(*shard->tallies));
    shard->tallies = NULL;
}

static uint32_t position_of(const struct aggregate_shard *shard, const struct tally_key *key)
{
    uint64_t words[TALLY_KEY_WORDS];
    memcpy(words, key, sizeof(words));
    uint64_t hash = shard->histograms.seed;
    for (size_t i = 0; i < TALLY_KEY_WORDS; i++) {
        hash = region_fold(hash ^ words[i]);
    }
    return (uint32_t)(hash >> 32) & shard->tally_mask;
}

struct tally *tally_look_up(struct aggregate_shard *shard, const struct tally_key *key,
                            uint32_t *number)
{
    uint32_t position = shard->tally_mask + 1;
    if (key->route != 0) {
        position = position_of(shard, key);
        *number = position;
    }
    struct tally *tally = &shard->tallies[position];
    if (key->route == 0 || !tally_is(shard, tally, key)) {
        *tally = (struct tally){.key = *key, .removals = shard->removals};
    }
    return tally;
}
