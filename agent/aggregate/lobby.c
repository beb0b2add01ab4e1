#include "agent/aggregate/lobby.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/*
 * Records lie in a ring in the order in which they came, linked by guest. A guest leaves with all
 * of its records at once, and guests are listed by when they entered: so the oldest record that is
 * still waited for is the oldest guest's, and when the ring is full it is that guest who has to go.
 * Records of guests that left before are holes, which close when they are the oldest.
 */

/* Sizes of records, so that a hole of any size has room for a header. */
#define ALIGNMENT 16
/* One connection's message must not empty the room for itself. */
#define LARGEST_SHARE 4
#define NO_RECORD UINT32_MAX
/* Offsets are 32 bits. */
#define BYTES_MAX ((size_t)1 << 31)

enum record_kind {
    RECORD_HOLE,
    RECORD_EXCHANGE,
    RECORD_EVENT
};

struct record {
    uint32_t size; /* with this header */
    uint32_t next; /* of the same guest */
    enum record_kind kind;
    uint32_t unused;
};

struct kept_exchange {
    struct record record;
    struct exchange exchange; /* its slices point behind it */
};

struct kept_event {
    struct record record;
    struct connection_event event;
};

struct guest {
    struct connection *live; /* NULL: closed, or no guest */
    struct connection closed;
    int64_t until_ns;
    uint64_t exchanges;
    uint32_t first; /* record */
    uint32_t last;
    uint32_t older;
    uint32_t newer; /* of a free place: the next one */
};

struct lobby {
    char *bytes;
    size_t size;
    size_t head; /* the oldest record */
    size_t tail; /* where the next one goes */
    size_t used;
    struct guest *guests; /* place 0 is nobody's: its neighbours are the newest and the oldest */
    uint32_t touched;     /* places ever taken */
    uint32_t max_guests;
    uint32_t free_guest;
};

static_assert(sizeof(struct record) == ALIGNMENT, "a header fits any hole");
static_assert(alignof(struct kept_exchange) <= ALIGNMENT, "records are aligned");

struct lobby *lobby_new(size_t bytes, uint32_t max_guests)
{
    struct lobby *lobby = calloc(1, sizeof(*lobby));
    if (lobby == NULL) {
        return NULL;
    }
    lobby->size = (bytes < BYTES_MAX ? bytes : BYTES_MAX) / ALIGNMENT * ALIGNMENT;
    lobby->max_guests = max_guests;
    lobby->bytes = calloc(1, lobby->size + ALIGNMENT);
    lobby->guests = calloc((size_t)max_guests + 1, sizeof(*lobby->guests));
    if (lobby->bytes == NULL || lobby->guests == NULL) {
        lobby_free(lobby);
        return NULL;
    }
    return lobby;
}

void lobby_free(struct lobby *lobby)
{
    if (lobby != NULL) {
        free(lobby->bytes);
        free(lobby->guests);
        free(lobby);
    }
}

/* ---- the ring ---- */

static struct record *record_at(const struct lobby *lobby, size_t at)
{
    return (struct record *)(void *)(lobby->bytes + at);
}

static void close_holes(struct lobby *lobby)
{
    while (lobby->used > 0 && record_at(lobby, lobby->head)->kind == RECORD_HOLE) {
        size_t size = record_at(lobby, lobby->head)->size;
        lobby->used -= size;
        lobby->head = lobby->head + size == lobby->size ? 0 : lobby->head + size;
    }
    if (lobby->used == 0) {
        lobby->head = 0;
        lobby->tail = 0;
    }
}

static void put_hole(struct lobby *lobby, size_t size)
{
    if (size > 0) {
        *record_at(lobby, lobby->tail) =
            (struct record){.size = (uint32_t)size, .kind = RECORD_HOLE};
        lobby->used += size;
        lobby->tail = 0;
    }
}

/* Room for a record of this size; NULL: not before others go. */
static struct record *allocate(struct lobby *lobby, size_t size)
{
    close_holes(lobby);
    if (size > lobby->size - lobby->used) {
        return NULL;
    }
    bool wrapped = lobby->used > 0 && lobby->tail <= lobby->head;
    size_t behind = (wrapped ? lobby->head : lobby->size) - lobby->tail;
    if (size > behind) {
        if (wrapped || size > lobby->head) {
            return NULL;
        }
        put_hole(lobby, behind);
        lobby->tail = 0;
    }
    struct record *record = record_at(lobby, lobby->tail);
    lobby->tail = lobby->tail + size == lobby->size ? 0 : lobby->tail + size;
    lobby->used += size;
    *record = (struct record){.size = (uint32_t)size, .next = NO_RECORD};
    return record;
}

static size_t rounded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- guests ---- */

uint32_t lobby_enter(struct lobby *lobby, struct connection *connection, int64_t until_ns)
{
    uint32_t number = lobby->free_guest;
    if (number != 0) {
        lobby->free_guest = lobby->guests[number].newer;
    } else if (lobby->touched < lobby->max_guests) {
        number = ++lobby->touched;
    } else {
        return 0;
    }
    struct guest *newest = &lobby->guests[lobby->guests[0].older];
    lobby->guests[number] = (struct guest){.live = connection,
                                           .until_ns = until_ns,
                                           .first = NO_RECORD,
                                           .last = NO_RECORD,
                                           .older = lobby->guests[0].older};
    newest->newer = number;
    lobby->guests[0].older = number;
    return number;
}

uint32_t lobby_oldest(const struct lobby *lobby)
{
    return lobby->guests[0].newer;
}

uint32_t lobby_next(const struct lobby *lobby, uint32_t guest)
{
    return lobby->guests[guest].newer;
}

struct connection *lobby_connection(struct lobby *lobby, uint32_t guest)
{
    struct guest *of = &lobby->guests[guest];
    return of->live != NULL ? of->live : &of->closed;
}

int64_t lobby_until(const struct lobby *lobby, uint32_t guest)
{
    return lobby->guests[guest].until_ns;
}

uint64_t lobby_exchanges(const struct lobby *lobby, uint32_t guest)
{
    return lobby->guests[guest].exchanges;
}

/* ---- what is kept ---- */

static void link_record(struct lobby *lobby, uint32_t guest, struct record *record)
{
    struct guest *of = &lobby->guests[guest];
    uint32_t at = (uint32_t)((char *)record - lobby->bytes);
    if (of->last == NO_RECORD) {
        of->first = at;
    } else {
        record_at(lobby, of->last)->next = at;
    }
    of->last = at;
}

/* Copies the text to `*at`, and moves that behind it. What is absent stays absent. */
static void keep_text(struct slice *text, char **at)
{
    if (text->data != NULL) {
        if (text->length > 0) {
            memcpy(*at, text->data, text->length);
        }
        text->data = *at;
        *at += text->length;
    }
}

enum lobby_answer lobby_add_exchange(struct lobby *lobby, uint32_t guest,
                                     const struct exchange *exchange)
{
    size_t size = sizeof(struct kept_exchange) + exchange->method.length + exchange->target.length +
                  exchange->route.length + exchange->host.length + exchange->user_agent.length +
                  exchange->trace_id.length;
    if (size > lobby->size / LARGEST_SHARE) {
        return LOBBY_NEVER;
    }
    struct kept_exchange *kept = (struct kept_exchange *)(void *)allocate(lobby, rounded(size));
    if (kept == NULL) {
        return LOBBY_FULL;
    }
    kept->record.kind = RECORD_EXCHANGE;
    kept->exchange = *exchange;
    char *at = (char *)(kept + 1);
    struct slice *const texts[] = {&kept->exchange.method,     &kept->exchange.target,
                                   &kept->exchange.route,      &kept->exchange.host,
                                   &kept->exchange.user_agent, &kept->exchange.trace_id};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        keep_text(texts[i], &at);
    }
    link_record(lobby, guest, &kept->record);
    lobby->guests[guest].exchanges++;
    return LOBBY_KEPT;
}

/* Byte counts are told in one number, lest a guest's packets fill the room. */
static bool add_to_last(const struct lobby *lobby, uint32_t guest,
                        const struct connection_event *event)
{
    uint32_t last = lobby->guests[guest].last;
    bool bytes = event->kind == CONNECTION_RETRANSMITTED || event->kind == CONNECTION_CONFLICTING ||
                 event->kind == CONNECTION_MISSED || event->kind == CONNECTION_BLIND_BYTES;
    if (!bytes || last == NO_RECORD || record_at(lobby, last)->kind != RECORD_EVENT) {
        return false;
    }
    struct kept_event *kept = (struct kept_event *)(void *)record_at(lobby, last);
    if (kept->event.kind != event->kind || kept->event.protocol != event->protocol) {
        return false;
    }
    kept->event.amount += event->amount;
    return true;
}

enum lobby_answer lobby_add_event(struct lobby *lobby, uint32_t guest,
                                  const struct connection_event *event)
{
    if (add_to_last(lobby, guest, event)) {
        return LOBBY_KEPT;
    }
    size_t size = sizeof(struct kept_event) + event->method.length + event->server_name.length;
    if (size > lobby->size / LARGEST_SHARE) {
        return LOBBY_NEVER;
    }
    struct kept_event *kept = (struct kept_event *)(void *)allocate(lobby, rounded(size));
    if (kept == NULL) {
        return LOBBY_FULL;
    }
    kept->record.kind = RECORD_EVENT;
    kept->event = *event;
    char *at = (char *)(kept + 1);
    keep_text(&kept->event.method, &at);
    keep_text(&kept->event.server_name, &at);
    link_record(lobby, guest, &kept->record);
    if (event->kind == CONNECTION_CLOSED) {
        struct guest *of = &lobby->guests[guest];
        of->closed = *of->live;
        of->live = NULL;
    }
    return LOBBY_KEPT;
}

static void tell(struct record *record, struct connection *connection,
                 const struct exchange_sink *sink)
{
    if (record->kind == RECORD_EXCHANGE) {
        const struct kept_exchange *kept = (const struct kept_exchange *)(const void *)record;
        sink->exchange(sink->context, connection, &kept->exchange);
    } else {
        const struct kept_event *kept = (const struct kept_event *)(const void *)record;
        sink->event(sink->context, connection, &kept->event);
    }
    record->kind = RECORD_HOLE;
}

void lobby_leave(struct lobby *lobby, uint32_t guest, const struct exchange_sink *sink)
{
    struct guest *of = &lobby->guests[guest];
    struct connection *connection = lobby_connection(lobby, guest);
    for (uint32_t at = of->first; at != NO_RECORD;) {
        struct record *record = record_at(lobby, at);
        at = record->next;
        tell(record, connection, sink);
    }
    lobby->guests[of->older].newer = of->newer;
    lobby->guests[of->newer].older = of->older;
    of->live = NULL;
    of->newer = lobby->free_guest;
    lobby->free_guest = guest;
}
