#pragma once

#include "agent/aggregate/names_slots.h"
#include "agent/aggregate/shard.h"

/* Says whether they are settled, until the next directory. */
void names_settle(const struct aggregate_shard *shard, struct names_standing *standing);

/* Asks the directory about who is not known; not while requests are counted under the names that
 * the connection has. */
void names_look_up(struct aggregate_shard *shard, struct connection *connection);

/* The names of a connection: looked up when it has none, and again for an end that nobody knew when
 * the directory changed. */
static inline struct names names_get(struct aggregate_shard *shard, struct connection *connection)
{
    if (names_standing(connection).epoch != shard->directory_epoch) {
        names_look_up(shard, connection);
    }
    return names_load(connection);
}

/* Gives the references back; the connection has no names afterwards. */
void names_release(struct aggregate_shard *shard, struct connection *connection);

/* Whether that is worth waiting for. */
bool names_worth_waiting(const struct aggregate_shard *shard, const struct connection *connection);

/* Who was asked, as the labels say it: namespace and service alone. The slices live as long as the
 * connection's names. */
struct workload names_server(struct aggregate_shard *shard, struct connection *connection);

/* The label of a route of a service, with a reference for the caller; "{other}" beyond the bound,
 * LABEL_NONE for no route. Bytes that no URI has are percent-encoded (RFC 3986 section 2.1). */
uint32_t names_route(struct aggregate_shard *shard, uint32_t service, struct slice route);
