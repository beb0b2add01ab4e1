#pragma once

#include "agent/aggregate/shard.h"

/* Records that a connection remembers. */
enum names_recent {
    NAMES_RECENT_REQUEST,
    NAMES_RECENT_GRAPH,
    NAMES_RECENT_SECONDS,
    NAMES_RECENT
};

/*
 * What the aggregate remembers of a connection, kept in its slots: the labels of both ends, each
 * with a reference of its own.
 */
struct names {
    uint32_t client;               /* "namespace\0service" */
    uint32_t server;               /* the same */
    uint32_t address;              /* server_address; LABEL_NONE on the server's side */
    uint32_t epoch;                /* of the directory that was asked; 0: none yet */
    uint32_t in_flight;            /* requests of the active requests gauge, under these names */
    uint32_t recent[NAMES_RECENT]; /* records that its last exchange counted in */
};

/* Who was asked, as the label service_name says it, also where nobody knows the address. The slices
 * point into the directory (NULL: an empty one) or into `text`. */
struct workload names_of_server(const struct directory *directory, const struct endpoint *server,
                                char text[static ENDPOINT_TEXT_SIZE]);

/* The names of a connection, looked up when it has none or the directory changed; not while
 * requests are counted under the former ones. */
struct names names_get(struct aggregate_shard *shard, struct connection *connection);

/* Writes changed numbers back; the labels stay what they are. */
void names_store(struct connection *connection, const struct names *names);

/* Gives the references back; the connection has no names afterwards. */
void names_release(struct aggregate_shard *shard, struct connection *connection);

/* The label of a route of a service, with a reference for the caller; "{other}" beyond the bound,
 * LABEL_NONE for no route. Bytes that no URI has are percent-encoded (RFC 3986 section 2.1). */
uint32_t names_route(struct aggregate_shard *shard, uint32_t service, struct slice route);
