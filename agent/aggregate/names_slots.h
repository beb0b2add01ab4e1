#pragma once

#include "agent/exchange/exchange.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Tallies (tally.h) that a connection remembers. */
#define NAMES_TALLIES 3

/* What is known of one end of a connection. */
enum names_state {
    NAMES_NOT_ASKED,
    NAMES_KNOWN,   /* fixed for the connection's life */
    NAMES_EARLY,   /* known before all was heard of: the same pod's name may still get better */
    NAMES_AWAITED, /* called "unknown": the directory may still say who it is */
    NAMES_OTHER,   /* named by where it is: its address, or "external" */
};

/* Whether it is in the lobby. */
enum names_waiting {
    NAMES_NEVER_WAITED,
    NAMES_WAITS,
    NAMES_WAITED, /* it had its time there */
};

/* How a connection's names stand: one word, for the look at every event. */
struct names_standing {
    uint32_t epoch;       /* of the directory that was asked; 0: none yet */
    uint8_t client_state; /* enum names_state */
    uint8_t server_state;
    uint8_t waiting; /* enum names_waiting */
    bool settled;    /* no better names are to be had, and it is not in the lobby */
};

/*
 * What the aggregate remembers of a connection, kept in its slots: the labels of both ends, each
 * with a reference of its own.
 */
struct names {
    struct names_standing standing;
    uint32_t client;       /* "namespace\0service" */
    uint32_t server;       /* the same */
    uint32_t called;       /* the same, of the service that was called */
    uint32_t address;      /* server_address, made of `called`; client side only */
    uint32_t client_place; /* "kind\0pod\0node", where Kubernetes says them */
    uint32_t server_place;
    uint32_t in_flight;              /* requests of the active requests gauge, under these names */
    uint32_t active;                 /* the record of that gauge; 0: none yet */
    uint32_t tallies[NAMES_TALLIES]; /* what its latest exchanges counted in */
    uint32_t guest;                  /* its place in the lobby, while it waits */
    int64_t since_ns;                /* when its interface appeared; 0: was there before */
};

/* As they are, without a look-up. */
static inline struct names names_load(const struct connection *connection)
{
    struct names names;
    memcpy(&names, connection->slots, sizeof(names));
    return names;
}

/* Writes changed numbers back; the labels stay what they are. */
static inline void names_store(struct connection *connection, const struct names *names)
{
    memcpy(connection->slots, names, sizeof(*names));
}

/* The same of two of them: the usual exchange changes no more. */
static inline void names_store_active(struct connection *connection, const struct names *names)
{
    const uint32_t numbers[] = {names->in_flight, names->active};
    static_assert(offsetof(struct names, active) == offsetof(struct names, in_flight) + 4,
                  "one behind the other");
    memcpy((char *)connection->slots + offsetof(struct names, in_flight), numbers, sizeof(numbers));
}

static inline void names_store_tally(struct connection *connection, size_t at, uint32_t number)
{
    memcpy((char *)connection->slots + offsetof(struct names, tallies) + at * sizeof(number),
           &number, sizeof(number));
}

static inline struct names_standing names_standing(const struct connection *connection)
{
    struct names_standing standing;
    memcpy(&standing, connection->slots, sizeof(standing));
    return standing;
}

/* Whether an end has a name of the directory's. */
static inline bool names_known(uint8_t state)
{
    return state == NAMES_KNOWN || state == NAMES_EARLY;
}

/* Whether an end has no name that it may still get. */
static inline bool names_awaited(const struct names_standing *standing)
{
    return standing->client_state == NAMES_AWAITED || standing->server_state == NAMES_AWAITED;
}
