#include "agent/aggregate/names.h"

#include "agent/aggregate/cell.h"

#include <assert.h>
#include <string.h>

/*
 * A connection's names are looked up once and live in its slots, so the usual exchange asks
 * neither the directory nor an index for them. A label of a workload is its namespace and its
 * service with a NUL between; addresses nobody knows get names of their own as the contract says.
 */

static_assert(sizeof(struct names) == sizeof(((struct connection *)0)->slots),
              "names fill the slots of a connection");

/* One name for all addresses outside the ranges that somebody configured. */
#define EXTERNAL "external"
/* The same for addresses in the cluster's ranges behind which nobody was found. */
#define UNKNOWN "unknown"
/* Room for a workload's label before it is cut; longer names are cut here already. */
#define NAME_SIZE 512

static uint32_t intern_workload(struct aggregate_shard *shard, struct slice namespace,
                                struct slice service)
{
    char text[NAME_SIZE];
    size_t namespace_length = namespace.length < NAME_SIZE / 4 ? namespace.length : NAME_SIZE / 4;
    size_t room = NAME_SIZE - namespace_length - 1;
    size_t service_length = service.length < room ? service.length : room;
    memcpy(text, namespace.data, namespace_length);
    text[namespace_length] = '\0';
    memcpy(text + namespace_length + 1, service.data, service_length);
    struct slice label = {text, namespace_length + 1 + service_length};
    return label_table_intern(&shard->labels, LABEL_NONE, label);
}

/* What nobody knows is named all the same: by what is known of where it is. */
static struct workload name_of(const struct directory *directory, const struct endpoint *endpoint,
                               struct slice unnamed)
{
    struct workload workload = {.namespace = slice_of("")};
    enum directory_answer answer = directory != NULL
                                       ? directory_find(directory, endpoint, &workload)
                                       : DIRECTORY_UNNAMED;
    switch (answer) {
    case DIRECTORY_KNOWN:
        return workload;
    case DIRECTORY_AWAITED:
        workload.service = slice_of(UNKNOWN);
        break;
    case DIRECTORY_EXTERNAL:
        workload.service = slice_of(EXTERNAL);
        break;
    case DIRECTORY_UNNAMED:
        workload.service = unnamed;
        break;
    }
    workload.called = workload.service;
    return workload;
}

/* Who asked: its port is chance, so only its address counts. */
static uint32_t client_name(struct aggregate_shard *shard, struct endpoint client)
{
    client.port = 0;
    char text[ADDRESS_TEXT_SIZE];
    struct slice address = {text, address_format(&client.address, text)};
    struct workload workload = name_of(shard->directory, &client, address);
    return intern_workload(shard, workload.namespace, workload.service);
}

struct workload names_of_server(const struct directory *directory, const struct endpoint *server,
                                char text[static ENDPOINT_TEXT_SIZE])
{
    struct slice address = {text, endpoint_format(server, text)};
    return name_of(directory, server, address);
}

static uint32_t server_name(struct aggregate_shard *shard, struct endpoint server)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct workload workload = names_of_server(shard->directory, &server, text);
    return intern_workload(shard, workload.namespace, workload.service);
}

/* The label server_address: the port has a label of its own. */
static uint32_t address_label(struct aggregate_shard *shard, struct endpoint server)
{
    char text[ADDRESS_TEXT_SIZE];
    struct slice address = {text, address_format(&server.address, text)};
    struct workload workload = name_of(shard->directory, &server, address);
    return label_table_intern(&shard->labels, LABEL_NONE, workload.called);
}

static struct names load(const struct connection *connection)
{
    struct names names;
    memcpy(&names, connection->slots, sizeof(names));
    return names;
}

void names_store(struct connection *connection, const struct names *names)
{
    memcpy(connection->slots, names, sizeof(*names));
}

void names_release(struct aggregate_shard *shard, struct connection *connection)
{
    struct names names = load(connection);
    label_table_release(&shard->labels, names.client);
    label_table_release(&shard->labels, names.server);
    label_table_release(&shard->labels, names.address);
    names_store(connection, &(struct names){0});
}

struct names names_get(struct aggregate_shard *shard, struct connection *connection)
{
    struct names names = load(connection);
    if (names.epoch == shard->directory_epoch || names.in_flight > 0) {
        return names;
    }
    names_release(shard, connection);
    bool client_side = connection->side == EXCHANGE_CLIENT;
    names = (struct names){
        .client = client_name(shard, connection->client),
        .server = server_name(shard, connection->server),
        .address = client_side ? address_label(shard, connection->server) : LABEL_NONE,
    };
    names.epoch = shard->directory_epoch;
    names_store(connection, &names);
    if (names.client == LABEL_NONE || names.server == LABEL_NONE ||
        (client_side && names.address == LABEL_NONE)) {
        /* The label table is full: all or nothing, and tried again, as series may be let go. */
        names_release(shard, connection);
        return load(connection);
    }
    return names;
}

/* Writes the route with all bytes percent-encoded that are not printable ASCII. Returns the
 * length, or LABEL_MAX + 1 when it is longer than a label. */
static size_t encode_route(struct slice route, char text[static LABEL_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = 0;
    for (size_t i = 0; i < route.length; i++) {
        uint8_t byte = (uint8_t)route.data[i];
        bool plain = byte > 0x20 && byte < 0x7f;
        if (length + (plain ? 1 : 3) > LABEL_MAX) {
            return LABEL_MAX + 1;
        }
        if (plain) {
            text[length++] = (char)byte;
        } else {
            text[length++] = '%';
            text[length++] = digits[byte >> 4];
            text[length++] = digits[byte & 0xf];
        }
    }
    return length;
}

static uint32_t other_route(struct aggregate_shard *shard)
{
    cell_add(&shard->routes_rejected, 1);
    label_table_acquire(&shard->labels, shard->other_route);
    return shard->other_route;
}

uint32_t names_route(struct aggregate_shard *shard, uint32_t service, struct slice route)
{
    if (route.length == 0 || service == LABEL_NONE) {
        return LABEL_NONE;
    }
    char encoded[LABEL_MAX];
    struct slice text = {encoded, encode_route(route, encoded)};
    if (text.length > LABEL_MAX) {
        return other_route(shard);
    }
    uint32_t label = label_table_find(&shard->labels, service, text);
    if (label != LABEL_NONE) {
        return label;
    }
    if (shard->max_routes > 0 && label_table_owned(&shard->labels, service) >= shard->max_routes) {
        return other_route(shard);
    }
    label = label_table_intern(&shard->labels, service, text);
    return label != LABEL_NONE ? label : other_route(shard);
}
