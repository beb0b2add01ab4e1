#include "agent/aggregate/naming.h"

#include "agent/aggregate/cell.h"
#include "agent/aggregate/lobby.h"
#include "agent/aggregate/names.h"
#include "agent/aggregate/shard.h"

#include <stdlib.h>

/*
 * A connection waits as a whole, events and all, so that what is counted of it stays in order and
 * the gauge of its requests stays balanced. It waits once: when its time is over and nobody was
 * known, what comes later is reported at once, under a name as soon as there is one.
 *
 * Every hold is equally long, so the guest that entered first is the first whose time is over.
 */

/* A guest with one exchange and its events needs about as much. */
#define BYTES_PER_GUEST 1024
/* A tick further from the one before than this was a jump of the clock or a suspended machine. */
#define TICK_MAX_NS INT64_C(10000000000)

struct naming {
    struct exchange_sink next;
    struct aggregate_shard *shard;
    struct lobby *lobby; /* NULL: nobody waits */
    int64_t hold_ns;
    int64_t ticked_ns;
    int64_t clock_ns; /* the same without jumps */
};

struct naming *naming_new(const struct naming_options *options, const struct exchange_sink *next)
{
    struct naming *naming = calloc(1, sizeof(*naming));
    if (naming == NULL) {
        return NULL;
    }
    naming->next = *next;
    naming->shard = options->shard;
    naming->hold_ns = options->hold_ns;
    if (options->hold_ns > 0) {
        uint32_t guests = (uint32_t)(options->memory_bytes / BYTES_PER_GUEST);
        naming->lobby = lobby_new(options->memory_bytes, guests > 0 ? guests : 1);
    }
    if (options->hold_ns > 0 && naming->lobby == NULL) {
        naming_free(naming);
        return NULL;
    }
    return naming;
}

void naming_free(struct naming *naming)
{
    if (naming != NULL) {
        lobby_free(naming->lobby);
        free(naming);
    }
}

static void count_unnamed(struct aggregate_shard *shard, enum naming_reason reason, uint64_t amount)
{
    if (amount > 0) {
        cell_add(&shard->unnamed[reason], amount);
    }
}

/* Lets a guest go on, under the names that it has now. */
static void dismiss(struct naming *naming, uint32_t guest, enum naming_reason reason)
{
    struct connection *connection = lobby_connection(naming->lobby, guest);
    struct names names = names_load(connection);
    names.guest = 0;
    names.standing.waiting = NAMES_WAITED;
    names_settle(naming->shard, &names.standing);
    names_store(connection, &names);
    if (names_awaited(&names.standing)) {
        count_unnamed(naming->shard, reason, lobby_exchanges(naming->lobby, guest));
    }
    lobby_leave(naming->lobby, guest, &naming->next);
}

/* Enters the connection, in place of another where all are taken. */
static uint32_t enter(struct naming *naming, struct connection *connection)
{
    int64_t until_ns = naming->clock_ns + naming->hold_ns;
    uint32_t guest = lobby_enter(naming->lobby, connection, until_ns);
    if (guest == 0) {
        dismiss(naming, lobby_oldest(naming->lobby), NAMING_FULL);
        guest = lobby_enter(naming->lobby, connection, until_ns);
    }
    struct names names = names_load(connection);
    names.guest = guest;
    names.standing.waiting = NAMES_WAITS;
    names.standing.settled = false;
    names_store(connection, &names);
    return guest;
}

/* Looks up who is not known; the number of the guest, 0 when the connection does not wait. */
static uint32_t guest_of(struct naming *naming, struct connection *connection)
{
    struct names_standing standing = names_standing(connection);
    if (standing.waiting == NAMES_WAITS) {
        return names_load(connection).guest;
    }
    if (standing.epoch != naming->shard->directory_epoch) {
        names_look_up(naming->shard, connection);
    }
    bool waits = naming->lobby != NULL && standing.waiting == NAMES_NEVER_WAITED &&
                 names_worth_waiting(naming->shard, connection);
    return waits ? enter(naming, connection) : 0;
}

/* Most connections: both ends have the names that the directory has for them. */
static bool is_settled(const struct naming *naming, const struct connection *connection)
{
    struct names_standing standing = names_standing(connection);
    return standing.epoch == naming->shard->directory_epoch && standing.settled;
}

/* What cannot be kept is told behind what was: returns the guest, 0 when it had to go itself. */
static uint32_t make_room(struct naming *naming, uint32_t guest, enum lobby_answer answer)
{
    uint32_t leaving = answer == LOBBY_NEVER ? guest : lobby_oldest(naming->lobby);
    dismiss(naming, leaving, NAMING_FULL);
    return leaving == guest ? 0 : guest;
}

static void on_unsettled_event(struct naming *naming, struct connection *connection,
                               const struct connection_event *event)
{
    bool closed = event->kind == CONNECTION_CLOSED; /* no reason to begin to wait */
    uint32_t guest = closed ? names_load(connection).guest : guest_of(naming, connection);
    while (guest != 0) {
        enum lobby_answer answer = lobby_add_event(naming->lobby, guest, event);
        if (answer == LOBBY_KEPT) {
            return;
        }
        guest = make_room(naming, guest, answer);
    }
    naming->next.event(naming->next.context, connection, event);
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct naming *naming = context;
    if (is_settled(naming, connection)) {
        naming->next.event(naming->next.context, connection, event);
    } else {
        on_unsettled_event(naming, connection, event);
    }
}

static void on_unsettled_exchange(struct naming *naming, struct connection *connection,
                                  const struct exchange *exchange)
{
    enum naming_reason reason = NAMING_TIMEOUT;
    for (uint32_t guest = guest_of(naming, connection); guest != 0; reason = NAMING_FULL) {
        enum lobby_answer answer = lobby_add_exchange(naming->lobby, guest, exchange);
        if (answer == LOBBY_KEPT) {
            return;
        }
        guest = make_room(naming, guest, answer);
    }
    struct names_standing standing = names_standing(connection);
    if (names_awaited(&standing)) {
        count_unnamed(naming->shard, reason, 1);
    }
    naming->next.exchange(naming->next.context, connection, exchange);
}

/* The end of a request is told first: with none under way a connection may get other names. */
static void split_exchange(struct naming *naming, struct connection *connection,
                           const struct exchange *exchange)
{
    struct connection_event end = exchange_end(exchange);
    struct exchange rest = *exchange;
    rest.ends_request = false;
    on_event(naming, connection, &end);
    if (is_settled(naming, connection)) {
        naming->next.exchange(naming->next.context, connection, &rest);
    } else {
        on_unsettled_exchange(naming, connection, &rest);
    }
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct naming *naming = context;
    if (is_settled(naming, connection)) {
        naming->next.exchange(naming->next.context, connection, exchange);
    } else if (exchange->ends_request) {
        split_exchange(naming, connection, exchange);
    } else {
        on_unsettled_exchange(naming, connection, exchange);
    }
}

struct exchange_sink naming_sink(struct naming *naming)
{
    return (struct exchange_sink){.context = naming, .exchange = on_exchange, .event = on_event};
}

/* Lets those go who have nothing to wait for any more. */
static void look_round(struct naming *naming)
{
    uint32_t guest = naming->lobby == NULL ? 0 : lobby_oldest(naming->lobby);
    while (guest != 0) {
        uint32_t next = lobby_next(naming->lobby, guest);
        struct connection *connection = lobby_connection(naming->lobby, guest);
        names_look_up(naming->shard, connection);
        if (!names_worth_waiting(naming->shard, connection)) {
            dismiss(naming, guest, NAMING_TIMEOUT);
        }
        guest = next;
    }
}

void naming_set_directory(struct naming *naming, const struct directory *directory)
{
    aggregate_shard_set_directory(naming->shard, directory);
    look_round(naming);
}

void naming_set_complete(struct naming *naming)
{
    naming->shard->complete = true;
    /* As a new directory, for those that were asked for too early. */
    naming_set_directory(naming, naming->shard->directory);
}

void naming_tick(struct naming *naming, int64_t now_ns)
{
    int64_t step = naming->ticked_ns == 0 ? 0 : now_ns - naming->ticked_ns;
    if (step > TICK_MAX_NS) {
        step = TICK_MAX_NS;
    }
    naming->clock_ns += step > 0 ? step : 0;
    naming->ticked_ns = now_ns;
    if (naming->lobby == NULL) {
        return;
    }
    uint32_t guest = lobby_oldest(naming->lobby);
    while (guest != 0 && lobby_until(naming->lobby, guest) <= naming->clock_ns) {
        dismiss(naming, guest, NAMING_TIMEOUT);
        guest = lobby_oldest(naming->lobby);
    }
}

void naming_interface_gone(struct naming *naming, uint32_t interface)
{
    uint32_t guest = naming->lobby == NULL ? 0 : lobby_oldest(naming->lobby);
    while (guest != 0) {
        uint32_t next = lobby_next(naming->lobby, guest);
        if (lobby_connection(naming->lobby, guest)->interface == interface) {
            dismiss(naming, guest, NAMING_INTERFACE_GONE);
        }
        guest = next;
    }
}

void naming_finish(struct naming *naming)
{
    while (naming->lobby != NULL && lobby_oldest(naming->lobby) != 0) {
        dismiss(naming, lobby_oldest(naming->lobby), NAMING_SHUTDOWN);
    }
}

const char *naming_reason_name(enum naming_reason reason)
{
    static const char *const names[] = {[NAMING_TIMEOUT] = "timeout",
                                        [NAMING_FULL] = "full",
                                        [NAMING_INTERFACE_GONE] = "interface_gone",
                                        [NAMING_SHUTDOWN] = "shutdown",
                                        [NAMING_REASONS] = ""};
    return names[reason];
}
