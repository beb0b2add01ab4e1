#pragma once

#include "agent/aggregate/aggregate.h"

#include <stdbool.h>

/* What the tests of the aggregate share: connections, exchanges and a rendered exposition. */

/* Two buckets, 1 ms and 10 ms, so a histogram is five lines. */
struct aggregate_options scene_options(void);

/* Longest exposition that is kept. */
#define SCENE_TEXT_SIZE 524288

/* A connection between "10.0.0.1:40000"-like texts. */
struct connection scene_connection(enum exchange_side side, const char *client, const char *server);

struct endpoint scene_endpoint(const char *text);

/* GET of `route`, answered with `status` after 2 ms: 0.5 ms request, 1 ms server, 0.5 ms response;
 * 3 and 700 bytes of content. Times count from 1 second after the epoch. */
struct exchange scene_exchange(const char *route, uint16_t status);

/* Gives the exchange to the shard's sink. */
void scene_feed(struct aggregate_shard *shard, struct connection *connection,
                const struct exchange *exchange);

void scene_event(struct aggregate_shard *shard, struct connection *connection,
                 enum connection_event_kind kind, uint64_t amount);

/* The exposition of some shards, without its # lines; valid until the next call. */
const char *scene_text(struct aggregate_shard *const *shards, size_t count);

/* Whether the exposition of one shard has this line. */
bool scene_has(struct aggregate_shard *shard, const char *line);

/* Fails unless it has. */
void scene_expect(struct aggregate_shard *shard, const char *line);

/* How many of its lines begin with this. */
size_t scene_count(struct aggregate_shard *shard, const char *start);
