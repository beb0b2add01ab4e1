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
struct waiting_room;

/* `bytes` for what is kept. NULL: out of memory. */
struct waiting_room *waiting_room_new(size_t bytes, uint32_t max_guests);
void waiting_room_free(struct waiting_room *room);

/* A guest from now on, until `until_ns` of the caller's clock. It is told of through `connection`
 * until its CONNECTION_CLOSED is added, through a copy afterwards. 0: all places are taken. */
uint32_t waiting_room_enter(struct waiting_room *room, struct connection *connection,
                            int64_t until_ns);

enum waiting_room_answer {
    WAITING_ROOM_KEPT,
    WAITING_ROOM_FULL,  /* until the oldest guest leaves */
    WAITING_ROOM_NEVER, /* too large for this room */
};

/* Keeps a copy. The event's protocol is a string that stays. */
enum waiting_room_answer waiting_room_add_exchange(struct waiting_room *room, uint32_t guest,
                                                   const struct exchange *exchange);
enum waiting_room_answer waiting_room_add_event(struct waiting_room *room, uint32_t guest,
                                                const struct connection_event *event);

/* The guest that entered first, and the one that entered after another; 0: none. */
uint32_t waiting_room_oldest(const struct waiting_room *room);
uint32_t waiting_room_next(const struct waiting_room *room, uint32_t guest);

struct connection *waiting_room_connection(struct waiting_room *room, uint32_t guest);
int64_t waiting_room_until(const struct waiting_room *room, uint32_t guest);
uint64_t waiting_room_exchanges(const struct waiting_room *room, uint32_t guest);

/* Tells `sink` all that was kept of the guest, which is none any more. The sink must not come back
 * to this room. */
void waiting_room_leave(struct waiting_room *room, uint32_t guest,
                        const struct exchange_sink *sink);
