#pragma once

#include "agent/aggregate/names.h"
#include "agent/aggregate/shard.h"

#include <stdalign.h>
#include <string.h>

/* The key's route where the exchange has none. */
#define TALLY_NO_ROUTE UINT64_MAX

/* All that decides which records an exchange counts in. */
struct tally_key {
    uint64_t route;  /* the exchange's id of it; 0: its text alone says which it is */
    uint32_t client; /* labels of the connection's names */
    uint32_t server;
    uint32_t address; /* client side only, as the port */
    uint16_t port;
    uint16_t status;
    uint8_t side;
    uint8_t method;
    uint8_t outcome;
    uint8_t unused[5]; /* zero: keys are compared as words */
};
#define TALLY_KEY_WORDS (sizeof(struct tally_key) / sizeof(uint64_t))

/*
 * The records that exchanges of one key count in, found once for all of them: good as long as no
 * record of the shard was let go since. A record keeps the labels that it was found by, so while it
 * is there they mean what they did. NULL: not looked for yet, or turned away.
 */
struct tally {
    alignas(64) struct tally_key key;
    uint64_t removals; /* the shard's, when this was made; 0: none, not to be found again */
    struct series *request;
    struct series *request_body;
    struct series *response_body;
    struct series *phases[SERIES_PHASES];
    struct series *graph;
    struct series *seconds;
    struct series *active;
    bool route_rejected; /* it is counted under "{other}" */
};

/* How many bits of a tally's number there are at most. */
#define TALLY_BITS_MAX 14

/* Returns 0 or -ENOMEM. */
int tally_init(struct aggregate_shard *shard);
void tally_fini(struct aggregate_shard *shard);

/* The tally of this key, an empty one if there is none; `number` remembers it. */
struct tally *tally_look_up(struct aggregate_shard *shard, const struct tally_key *key,
                            uint32_t *number);

static inline bool tally_is(const struct aggregate_shard *shard, const struct tally *tally,
                            const struct tally_key *key)
{
    uint64_t words[TALLY_KEY_WORDS];
    uint64_t wanted[TALLY_KEY_WORDS];
    memcpy(words, &tally->key, sizeof(words));
    memcpy(wanted, key, sizeof(wanted));
    uint64_t differ = tally->removals ^ shard->removals;
    for (size_t i = 0; i < TALLY_KEY_WORDS; i++) {
        differ |= words[i] ^ wanted[i];
    }
    return differ == 0;
}

/* The same, for a connection: mostly it remembers which. */
static inline struct tally *tally_find(struct aggregate_shard *shard, struct connection *connection,
                                       const struct names *names, const struct tally_key *key)
{
    size_t at = (uint32_t)key->route % NAMES_TALLIES;
    uint32_t number = names->tallies[at];
    struct tally *tally = &shard->tallies[number];
    if (!tally_is(shard, tally, key)) {
        tally = tally_look_up(shard, key, &number);
        if (names->standing.epoch != 0) { /* else its labels are not the connection's */
            names_store_tally(connection, at, number);
        }
    }
    return tally;
}

/* The gauge of active requests: of the tally's key, if it has one. */
struct series *tally_active(struct aggregate_shard *shard, struct tally *tally);

/* Counts an exchange of the tally's key, in all that it counts in. */
void tally_count(struct aggregate_shard *shard, struct tally *tally,
                 const struct exchange *exchange);
