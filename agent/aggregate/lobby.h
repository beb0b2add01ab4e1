#pragma once

#include "agent/exchange/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where connections wait for their names: what happens to a guest is kept, in order, until it
 * leaves, and is told then. One worker's; its memory is reserved at the start. Guests are numbered
 * from 1.
 */
struct lobby;

/* `bytes` for what is kept. NULL: out of memory. */
struct lobby *lobby_new(size_t bytes, uint32_t max_guests);
void lobby_free(struct lobby *lobby);

/* A guest from now on, until `until_ns` of the caller's clock. It is told of through `connection`
 * until its CONNECTION_CLOSED is added, through a copy afterwards. 0: all places are taken. */
uint32_t lobby_enter(struct lobby *lobby, struct connection *connection, int64_t until_ns);

enum lobby_answer {
    LOBBY_KEPT,
    LOBBY_FULL,  /* until the oldest guest leaves */
    LOBBY_NEVER, /* too large for this room */
};

/* Keeps a copy. The event's protocol is a string that stays. */
enum lobby_answer lobby_add_exchange(struct lobby *lobby, uint32_t guest,
                                     const struct exchange *exchange);
enum lobby_answer lobby_add_event(struct lobby *lobby, uint32_t guest,
                                  const struct connection_event *event);

/* The guest that entered first, and the one that entered after another; 0: none. */
uint32_t lobby_oldest(const struct lobby *lobby);
uint32_t lobby_next(const struct lobby *lobby, uint32_t guest);

struct connection *lobby_connection(struct lobby *lobby, uint32_t guest);
int64_t lobby_until(const struct lobby *lobby, uint32_t guest);
uint64_t lobby_exchanges(const struct lobby *lobby, uint32_t guest);

/* Tells `sink` all that was kept of the guest, which is none any more. The sink must not come back
 * to this room. */
void lobby_leave(struct lobby *lobby, uint32_t guest, const struct exchange_sink *sink);
