#include "agent/tcp/waiting.h"

int waiting_room_init(struct waiting_room *room, uint32_t capacity)
{
    *room = (struct waiting_room){0};
    return slab_init(&room->slab, sizeof(struct waiting), capacity);
}

void waiting_room_fini(struct waiting_room *room)
{
    slab_fini(&room->slab);
}

static struct waiting_list *list_of(struct waiting_room *room, const struct waiting *waiting)
{
    return waiting->asleep ? &room->asleep : &room->awake;
}

static void unlink_waiting(struct waiting_room *room, struct waiting *waiting)
{
    struct waiting_list *list = list_of(room, waiting);
    *(waiting->previous == NULL ? &list->first : &waiting->previous->next) = waiting->next;
    *(waiting->next == NULL ? &list->last : &waiting->next->previous) = waiting->previous;
}

static void append_waiting(struct waiting_room *room, struct waiting *waiting, struct moment now)
{
    struct waiting_list *list = list_of(room, waiting);
    waiting->listed = now;
    waiting->next = NULL;
    waiting->previous = list->last;
    *(list->last == NULL ? &list->first : &list->last->next) = waiting;
    list->last = waiting;
}

struct waiting *waiting_room_enter(struct waiting_room *room, struct flow *flow, struct moment now)
{
    if (flow->waiting == NULL) {
        struct waiting *waiting = slab_take(&room->slab);
        if (waiting == NULL) {
            return NULL;
        }
        *waiting = (struct waiting){.flow = flow};
        append_waiting(room, waiting, now);
        flow->waiting = waiting;
    } else if (flow->waiting->asleep) {
        waiting_room_list(room, flow->waiting, false, now);
    }
    return flow->waiting;
}

void waiting_room_leave(struct waiting_room *room, struct flow *flow)
{
    unlink_waiting(room, flow->waiting);
    slab_give(&room->slab, flow->waiting);
    flow->waiting = NULL;
}

void waiting_room_list(struct waiting_room *room, struct waiting *waiting, bool asleep,
                       struct moment now)
{
    unlink_waiting(room, waiting);
    waiting->asleep = asleep;
    append_waiting(room, waiting, now);
}
