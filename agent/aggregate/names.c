#include "agent/aggregate/names.h"

#include "agent/aggregate/cell.h"

#include <assert.h>
#include <string.h>

/*
 * A connection's names are looked up when it begins and live in its slots as labels, copies of what
 * the directory says: the usual exchange asks neither the directory nor an index for them, and no
 * directory is needed any more once it is replaced. A label of a workload is its namespace and its
 * service with a NUL between; addresses nobody knows get names of their own as the contract says.
 *
 * While the directory is still being filled, a pod may be there before its service, its CronJob or
 * what its namespace is called: such a name is asked for again until everything was heard of.
 *
 * Addresses change hands. An end that is known keeps its name, whoever has the address later. And
 * of a pod's own end it is known since when its interface is there: a name that the address had
 * before is the former pod's.
 */

static_assert(sizeof(struct names) == sizeof(((struct connection *)0)->slots),
              "names fill the slots of a connection");

/* One name for all addresses outside the ranges that somebody configured. */
#define EXTERNAL "external"
/* The same for addresses in the cluster's ranges behind which nobody was found. */
#define UNKNOWN "unknown"
/* Room for a workload's label before it is cut; longer names are cut here already. */
#define NAME_SIZE 512

/* One end of a connection, as the directory is asked for it. */
struct end {
    struct endpoint endpoint; /* who asked has port 0: its port is chance */
    int64_t since_ns;         /* names from before are another's; 0: none is */
    bool pod;                 /* a pod is there, or will be known to be */
    char address[ADDRESS_TEXT_SIZE];
    char text[ENDPOINT_TEXT_SIZE];
};

static size_t append(char *text, size_t length, size_t size, struct slice part)
{
    size_t taken = part.length < size - length ? part.length : size - length;
    if (taken > 0) {
        memcpy(text + length, part.data, taken);
    }
    return length + taken;
}

static uint32_t intern_workload(struct aggregate_shard *shard, struct slice namespace,
                                struct slice service)
{
    char text[NAME_SIZE];
    size_t length = append(text, 0, NAME_SIZE / 4, namespace);
    text[length] = '\0';
    length = append(text, length + 1, NAME_SIZE, service);
    return label_table_intern(&shard->labels, LABEL_NONE, (struct slice){text, length});
}

/* The parts of a workload's label; both empty for no label. */
static struct workload split_workload(const struct aggregate_shard *shard, uint32_t label)
{
    struct slice text = label_table_text(&shard->labels, label);
    const char *end = text.length == 0 ? NULL : memchr(text.data, '\0', text.length);
    size_t length = end == NULL ? 0 : (size_t)(end - text.data);
    size_t skipped = end == NULL ? 0 : length + 1;
    return (struct workload){.namespace = {text.data, length},
                             .service = {text.data + skipped, text.length - skipped}};
}

static bool is_loopback(const struct address *address)
{
    static const struct address ipv6 = {.bytes = {[15] = 1}};
    return address_is_ipv4(address) ? address->bytes[12] == 127 : address_equal(address, &ipv6);
}

static struct end end_of(const struct aggregate_shard *shard, const struct connection *connection,
                         const struct names *names, enum exchange_side side)
{
    bool own = connection->side == side;
    struct end end = {.endpoint =
                          side == EXCHANGE_SERVER ? connection->server : connection->client};
    end.since_ns = own ? names->since_ns : 0;
    end.pod = own && shard->await_pods && !is_loopback(&end.endpoint.address);
    if (side == EXCHANGE_CLIENT) {
        end.endpoint.port = 0;
    }
    return end;
}

/* Where nobody is known and no range is, an address is all there is. */
static void name_by_address(struct end *end, struct workload *workload_out)
{
    size_t length = address_format(&end->endpoint.address, end->address);
    workload_out->called = (struct slice){end->address, length};
    workload_out->service = workload_out->called;
    if (end->endpoint.port != 0) {
        workload_out->service =
            (struct slice){end->text, endpoint_format(&end->endpoint, end->text)};
    }
}

/* Who is there, with a name for everybody; the slices point into the directory or into `end`. */
static enum names_state find(const struct aggregate_shard *shard, struct end *end,
                             struct workload *workload_out)
{
    enum directory_answer answer = DIRECTORY_UNNAMED;
    if (shard->directory != NULL) {
        answer = directory_find(shard->directory, &end->endpoint, workload_out);
    }
    if (answer == DIRECTORY_KNOWN &&
        (workload_out->since_ns == 0 || workload_out->since_ns >= end->since_ns)) {
        return shard->complete ? NAMES_KNOWN : NAMES_EARLY;
    }
    *workload_out = (struct workload){.service = slice_of(UNKNOWN), .called = slice_of(UNKNOWN)};
    if (end->pod || answer == DIRECTORY_KNOWN || answer == DIRECTORY_AWAITED) {
        return NAMES_AWAITED;
    }
    if (answer == DIRECTORY_EXTERNAL) {
        workload_out->service = slice_of(EXTERNAL);
        workload_out->called = slice_of(EXTERNAL);
    } else {
        name_by_address(end, workload_out);
    }
    return NAMES_OTHER;
}

void names_release(struct aggregate_shard *shard, struct connection *connection)
{
    struct names names = names_load(connection);
    label_table_release(&shard->labels, names.client);
    label_table_release(&shard->labels, names.server);
    label_table_release(&shard->labels, names.called);
    label_table_release(&shard->labels, names.client_place);
    label_table_release(&shard->labels, names.server_place);
    label_table_release(&shard->labels, names.address);
    /* Where it waits and that it did is not a name. */
    struct names none = {.guest = names.guest};
    none.standing.waiting = names.standing.waiting;
    names_store(connection, &none);
}

bool names_worth_waiting(const struct aggregate_shard *shard, const struct connection *connection)
{
    struct names_standing standing = names_standing(connection);
    bool server = connection->side == EXCHANGE_SERVER;
    uint8_t own = server ? standing.server_state : standing.client_state;
    uint8_t peer = server ? standing.client_state : standing.server_state;
    if (own == NAMES_AWAITED || (own == NAMES_OTHER && !shard->complete)) {
        return true;
    }
    return (peer == NAMES_AWAITED && shard->await_peers) ||
           (peer == NAMES_OTHER && !shard->complete);
}

static void set_label(struct aggregate_shard *shard, uint32_t *label, uint32_t to)
{
    label_table_release(&shard->labels, *label);
    *label = to;
}

/* LABEL_NONE where there is nothing to say. */
static uint32_t intern_place(struct aggregate_shard *shard, const struct workload *workload)
{
    static const struct slice between = {"", 1};
    const struct slice parts[] = {workload->kind, between, workload->pod, between, workload->node};
    char text[NAME_SIZE];
    size_t length = 0;
    if (workload->kind.length == 0) {
        return LABEL_NONE;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        length = append(text, length, sizeof(text), parts[i]);
    }
    return label_table_intern(&shard->labels, LABEL_NONE, (struct slice){text, length});
}

/* Adds what the label of a place says. */
static void split_place(const struct aggregate_shard *shard, uint32_t label,
                        struct workload *workload)
{
    struct slice rest = label_table_text(&shard->labels, label);
    struct slice *const parts[] = {&workload->kind, &workload->pod, &workload->node};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *end = rest.length == 0 ? NULL : memchr(rest.data, '\0', rest.length);
        size_t length = end == NULL ? rest.length : (size_t)(end - rest.data);
        *parts[i] = (struct slice){rest.data, length};
        length += end == NULL ? 0 : 1;
        rest = (struct slice){rest.data + length, rest.length - length};
    }
}

/* Whether an early name is to be replaced: not by the name of another pod, which got the address
 * since. */
static bool is_better(const struct aggregate_shard *shard, uint32_t place, enum names_state state,
                      const struct workload *found)
{
    struct workload former = {.pod = slice_of("")};
    split_place(shard, place, &former);
    return names_known((uint8_t)state) &&
           (former.pod.length == 0 || slice_equal(former.pod, found->pod));
}

/* Asks for one end; false: it keeps the name that it has. */
static bool ask(struct aggregate_shard *shard, struct end *end, uint8_t *state, uint32_t place,
                struct workload *workload_out)
{
    enum names_state found = find(shard, end, workload_out);
    if (*state == NAMES_EARLY && !is_better(shard, place, found, workload_out)) {
        *state = shard->complete ? NAMES_KNOWN : NAMES_EARLY;
        return false;
    }
    *state = (uint8_t)found;
    return true;
}

static void look_up_client(struct aggregate_shard *shard, struct end *end, struct names *names)
{
    struct workload workload;
    if (!ask(shard, end, &names->standing.client_state, names->client_place, &workload)) {
        return;
    }
    set_label(shard, &names->client, intern_workload(shard, workload.namespace, workload.service));
    set_label(shard, &names->client_place, intern_place(shard, &workload));
}

static void look_up_server(struct aggregate_shard *shard, struct end *end, struct names *names,
                           bool client_side)
{
    struct workload workload;
    if (!ask(shard, end, &names->standing.server_state, names->server_place, &workload)) {
        return;
    }
    set_label(shard, &names->server, intern_workload(shard, workload.namespace, workload.service));
    set_label(shard, &names->server_place, intern_place(shard, &workload));
    if (client_side || workload.kind.length > 0) {
        set_label(shard, &names->called,
                  intern_workload(shard, workload.called_namespace, workload.called));
    }
}

/* The label server_address: the called service as one writes it where the caller is. */
static uint32_t address_label(struct aggregate_shard *shard, const struct names *names)
{
    char text[NAME_SIZE];
    struct workload called = split_workload(shard, names->called);
    struct slice from = split_workload(shard, names->client).namespace;
    size_t length = append(text, 0, sizeof(text), called.service);
    if (names_known(names->standing.client_state) && from.length > 0 &&
        called.namespace.length > 0 && !slice_equal(from, called.namespace)) {
        length = append(text, length, sizeof(text), slice_of("."));
        length = append(text, length, sizeof(text), called.namespace);
    }
    return label_table_intern(&shard->labels, LABEL_NONE, (struct slice){text, length});
}

/* Asks for the ends whose names are not fixed. */
static void look_up_ends(struct aggregate_shard *shard, const struct connection *connection,
                         struct names *names)
{
    bool client_side = connection->side == EXCHANGE_CLIENT;
    if (names->standing.client_state != NAMES_KNOWN) {
        struct end end = end_of(shard, connection, names, EXCHANGE_CLIENT);
        look_up_client(shard, &end, names);
    }
    if (names->standing.server_state != NAMES_KNOWN) {
        struct end end = end_of(shard, connection, names, EXCHANGE_SERVER);
        look_up_server(shard, &end, names, client_side);
    }
    if (client_side) {
        set_label(shard, &names->address, address_label(shard, names));
    }
}

/* The label table was full for one of them. */
static bool incomplete(const struct connection *connection, const struct names *names)
{
    bool client_side = connection->side == EXCHANGE_CLIENT;
    return names->client == LABEL_NONE || names->server == LABEL_NONE ||
           (client_side && (names->called == LABEL_NONE || names->address == LABEL_NONE));
}

void names_settle(const struct aggregate_shard *shard, struct names_standing *standing)
{
    bool known = names_known(standing->client_state) && names_known(standing->server_state);
    standing->settled = standing->waiting != NAMES_WAITS &&
                        (known || (shard->complete && !names_awaited(standing)));
}

void names_look_up(struct aggregate_shard *shard, struct connection *connection)
{
    struct names names = names_load(connection);
    if (names.in_flight > 0) {
        return;
    }
    if (names.standing.epoch == 0 && shard->interface_since != NULL) {
        names.since_ns = shard->interface_since(shard->interface_context, connection->interface);
    }
    look_up_ends(shard, connection, &names);
    names.standing.epoch = shard->directory_epoch;
    names_settle(shard, &names.standing);
    names_store(connection, &names);
    if (incomplete(connection, &names)) {
        /* All or nothing, and tried again, as series may be let go. */
        names_release(shard, connection);
    }
}

void aggregate_shard_ends(const struct aggregate_shard *shard, const struct connection *connection,
                          struct aggregate_ends *ends_out)
{
    struct names names = names_load(connection);
    struct workload called = split_workload(shard, names.called);
    ends_out->client_known = names_known(names.standing.client_state);
    ends_out->server_known = names_known(names.standing.server_state);
    ends_out->client = split_workload(shard, names.client);
    ends_out->server = split_workload(shard, names.server);
    split_place(shard, names.client_place, &ends_out->client);
    split_place(shard, names.server_place, &ends_out->server);
    ends_out->server.called_namespace = called.namespace;
    ends_out->server.called = called.service;
}

struct workload names_server(struct aggregate_shard *shard, struct connection *connection)
{
    return split_workload(shard, names_get(shard, connection).server);
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
