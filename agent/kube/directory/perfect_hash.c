#include "agent/kube/directory/perfect_hash.h"

#include <stdlib.h>

/* Groups are served in the order of their sizes, the largest first: it has the most to find. */
struct seeker {
    const uint64_t *hashes;
    struct perfect_hash shape;
    uint8_t *taken;    /* for each place */
    uint32_t *starts;  /* of each group's members, and one more */
    uint32_t *members; /* hashes by their index, group by group */
    uint32_t *order;   /* groups, large ones first */
};

static void seeker_fini(struct seeker *seeker)
{
    free(seeker->taken);
    free(seeker->starts);
    free(seeker->members);
    free(seeker->order);
}

static bool seeker_init(struct seeker *seeker, const uint64_t *hashes, uint32_t count)
{
    *seeker = (struct seeker){.hashes = hashes, .shape = perfect_hash_shape(count)};
    const size_t groups = seeker->shape.groups;
    seeker->taken = calloc(seeker->shape.places, sizeof(*seeker->taken));
    seeker->starts = calloc(groups + 1, sizeof(*seeker->starts));
    seeker->members = calloc((size_t)count + 1, sizeof(*seeker->members));
    seeker->order = calloc(groups, sizeof(*seeker->order));
    return seeker->taken != NULL && seeker->starts != NULL && seeker->members != NULL &&
           seeker->order != NULL;
}

/* A counting sort. */
static void collect_members(struct seeker *seeker, uint32_t count)
{
    const uint32_t groups = seeker->shape.groups;
    for (uint32_t i = 0; i < count; i++) {
        seeker->starts[perfect_hash_group(&seeker->shape, seeker->hashes[i])]++;
    }
    uint32_t end = 0;
    for (uint32_t group = 0; group <= groups; group++) {
        end += seeker->starts[group];
        seeker->starts[group] = end;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = --seeker->starts[perfect_hash_group(&seeker->shape, seeker->hashes[i])];
        seeker->members[at] = i;
    }
}

static uint32_t group_size(const struct seeker *seeker, uint32_t group)
{
    return seeker->starts[group + 1] - seeker->starts[group];
}

/* Sizes hardly ever pass a few: one turn over the groups for each of these. */
static void order_groups(struct seeker *seeker)
{
    enum {
        LARGE = 12
    };
    uint32_t count = 0;
    for (uint32_t size = LARGE + 1; size-- > 0;) {
        for (uint32_t group = 0; group < seeker->shape.groups; group++) {
            uint32_t found = group_size(seeker, group);
            if (found == size || (size == LARGE && found > LARGE)) {
                seeker->order[count++] = group;
            }
        }
    }
}

/* Takes the places of the group with this pilot, if all are free. */
static bool take_places(struct seeker *seeker, uint32_t group, uint8_t pilot, uint32_t *places_out)
{
    const uint32_t first = seeker->starts[group];
    uint32_t at = first;
    for (; at < seeker->starts[group + 1]; at++) {
        uint32_t member = seeker->members[at];
        uint32_t place = perfect_hash_place(&seeker->shape, seeker->hashes[member], pilot);
        if (seeker->taken[place] != 0) {
            break;
        }
        seeker->taken[place] = 1;
        places_out[member] = place;
    }
    if (at == seeker->starts[group + 1]) {
        return true;
    }
    while (at-- > first) {
        seeker->taken[places_out[seeker->members[at]]] = 0;
    }
    return false;
}

static uint8_t seek_pilot(struct seeker *seeker, uint32_t group, uint32_t *places_out)
{
    for (uint8_t pilot = 0; pilot < PERFECT_HASH_NO_PILOT; pilot++) {
        if (take_places(seeker, group, pilot, places_out)) {
            return pilot;
        }
    }
    for (uint32_t at = seeker->starts[group]; at < seeker->starts[group + 1]; at++) {
        places_out[seeker->members[at]] = PERFECT_HASH_HOMELESS;
    }
    return PERFECT_HASH_NO_PILOT;
}

bool perfect_hash_seek(const uint64_t *hashes, uint32_t count, uint8_t *pilots_out,
                       uint32_t *places_out)
{
    struct seeker seeker = {.hashes = hashes};
    bool made = count <= PERFECT_HASH_MOST && seeker_init(&seeker, hashes, count);
    if (made) {
        collect_members(&seeker, count);
        order_groups(&seeker);
        for (uint32_t i = 0; i < seeker.shape.groups; i++) {
            uint32_t group = seeker.order[i];
            pilots_out[group] = seek_pilot(&seeker, group, places_out);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (places_out[i] != PERFECT_HASH_HOMELESS) {
                pilots_out[seeker.shape.groups + places_out[i]] = perfect_hash_tag(hashes[i]);
            }
        }
    }
    seeker_fini(&seeker);
    return made;
}
