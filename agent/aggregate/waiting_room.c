#include "agent/aggregate/waiting_room.h"

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

struct waiting_room {
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

struct waiting_room *waiting_room_new(size_t bytes, uint32_t max_guests)
{
    struct waiting_room *room = calloc(1, sizeof(*room));
    if (room == NULL) {
        return NULL;
    }
    room->size = (bytes < BYTES_MAX ? bytes : BYTES_MAX) / ALIGNMENT * ALIGNMENT;
    room->max_guests = max_guests;
    room->bytes = calloc(1, room->size + ALIGNMENT);
    room->guests = calloc((size_t)max_guests + 1, sizeof(*room->guests));
    if (room->bytes == NULL || room->guests == NULL) {
        waiting_room_free(room);
        return NULL;
    }
    return room;
}

void waiting_room_free(struct waiting_room *room)
{
    if (room != NULL) {
        free(room->bytes);
        free(room->guests);
        free(room);
    }
}

/* ---- the ring ---- */

static struct record *record_at(const struct waiting_room *room, size_t at)
{
    return (struct record *)(void *)(room->bytes + at);
}

static void close_holes(struct waiting_room *room)
{
    while (room->used > 0 && record_at(room, room->head)->kind == RECORD_HOLE) {
        size_t size = record_at(room, room->head)->size;
        room->used -= size;
        room->head = room->head + size == room->size ? 0 : room->head + size;
    }
    if (room->used == 0) {
        room->head = 0;
        room->tail = 0;
    }
}

static void put_hole(struct waiting_room *room, size_t size)
{
    if (size > 0) {
        *record_at(room, room->tail) = (struct record){.size = (uint32_t)size, .kind = RECORD_HOLE};
        room->used += size;
        room->tail = 0;
    }
}

/* Room for a record of this size; NULL: not before others go. */
static struct record *allocate(struct waiting_room *room, size_t size)
{
    close_holes(room);
    if (size > room->size - room->used) {
        return NULL;
    }
    bool wrapped = room->used > 0 && room->tail <= room->head;
    size_t behind = (wrapped ? room->head : room->size) - room->tail;
    if (size > behind) {
        if (wrapped || size > room->head) {
            return NULL;
        }
        put_hole(room, behind);
        room->tail = 0;
    }
    struct record *record = record_at(room, room->tail);
    room->tail = room->tail + size == room->size ? 0 : room->tail + size;
    room->used += size;
    *record = (struct record){.size = (uint32_t)size, .next = NO_RECORD};
    return record;
}

static size_t rounded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- guests ---- */

uint32_t waiting_room_enter(struct waiting_room *room, struct connection *connection,
                            int64_t until_ns)
{
    uint32_t number = room->free_guest;
    if (number != 0) {
        room->free_guest = room->guests[number].newer;
    } else if (room->touched < room->max_guests) {
        number = ++room->touched;
    } else {
        return 0;
    }
    struct guest *newest = &room->guests[room->guests[0].older];
    room->guests[number] = (struct guest){.live = connection,
                                          .until_ns = until_ns,
                                          .first = NO_RECORD,
                                          .last = NO_RECORD,
                                          .older = room->guests[0].older};
    newest->newer = number;
    room->guests[0].older = number;
    return number;
}

uint32_t waiting_room_oldest(const struct waiting_room *room)
{
    return room->guests[0].newer;
}

uint32_t waiting_room_next(const struct waiting_room *room, uint32_t guest)
{
    return room->guests[guest].newer;
}

struct connection *waiting_room_connection(struct waiting_room *room, uint32_t guest)
{
    struct guest *of = &room->guests[guest];
    return of->live != NULL ? of->live : &of->closed;
}

int64_t waiting_room_until(const struct waiting_room *room, uint32_t guest)
{
    return room->guests[guest].until_ns;
}

uint64_t waiting_room_exchanges(const struct waiting_room *room, uint32_t guest)
{
    return room->guests[guest].exchanges;
}

/* ---- what is kept ---- */

static void link_record(struct waiting_room *room, uint32_t guest, struct record *record)
{
    struct guest *of = &room->guests[guest];
    uint32_t at = (uint32_t)((char *)record - room->bytes);
    if (of->last == NO_RECORD) {
        of->first = at;
    } else {
        record_at(room, of->last)->next = at;
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

enum waiting_room_answer waiting_room_add_exchange(struct waiting_room *room, uint32_t guest,
                                                   const struct exchange *exchange)
{
    size_t size = sizeof(struct kept_exchange) + exchange->method.length + exchange->target.length +
                  exchange->route.length + exchange->host.length + exchange->user_agent.length +
                  exchange->trace_id.length;
    if (size > room->size / LARGEST_SHARE) {
        return WAITING_ROOM_NEVER;
    }
    struct kept_exchange *kept = (struct kept_exchange *)(void *)allocate(room, rounded(size));
    if (kept == NULL) {
        return WAITING_ROOM_FULL;
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
    link_record(room, guest, &kept->record);
    room->guests[guest].exchanges++;
    return WAITING_ROOM_KEPT;
}

/* Byte counts are told in one number, lest a guest's packets fill the room. */
static bool add_to_last(const struct waiting_room *room, uint32_t guest,
                        const struct connection_event *event)
{
    uint32_t last = room->guests[guest].last;
    bool bytes = event->kind == CONNECTION_RETRANSMITTED || event->kind == CONNECTION_CONFLICTING ||
                 event->kind == CONNECTION_MISSED || event->kind == CONNECTION_BLIND_BYTES;
    if (!bytes || last == NO_RECORD || record_at(room, last)->kind != RECORD_EVENT) {
        return false;
    }
    struct kept_event *kept = (struct kept_event *)(void *)record_at(room, last);
    if (kept->event.kind != event->kind || kept->event.protocol != event->protocol) {
        return false;
    }
    kept->event.amount += event->amount;
    return true;
}

enum waiting_room_answer waiting_room_add_event(struct waiting_room *room, uint32_t guest,
                                                const struct connection_event *event)
{
    if (add_to_last(room, guest, event)) {
        return WAITING_ROOM_KEPT;
    }
    size_t size = sizeof(struct kept_event) + event->method.length;
    if (size > room->size / LARGEST_SHARE) {
        return WAITING_ROOM_NEVER;
    }
    struct kept_event *kept = (struct kept_event *)(void *)allocate(room, rounded(size));
    if (kept == NULL) {
        return WAITING_ROOM_FULL;
    }
    kept->record.kind = RECORD_EVENT;
    kept->event = *event;
    char *at = (char *)(kept + 1);
    keep_text(&kept->event.method, &at);
    link_record(room, guest, &kept->record);
    if (event->kind == CONNECTION_CLOSED) {
        struct guest *of = &room->guests[guest];
        of->closed = *of->live;
        of->live = NULL;
    }
    return WAITING_ROOM_KEPT;
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

void waiting_room_leave(struct waiting_room *room, uint32_t guest, const struct exchange_sink *sink)
{
    struct guest *of = &room->guests[guest];
    struct connection *connection = waiting_room_connection(room, guest);
    for (uint32_t at = of->first; at != NO_RECORD;) {
        struct record *record = record_at(room, at);
        at = record->next;
        tell(record, connection, sink);
    }
    room->guests[of->older].newer = of->newer;
    room->guests[of->newer].older = of->older;
    of->live = NULL;
    of->newer = room->free_guest;
    room->free_guest = guest;
}
