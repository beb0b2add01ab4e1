#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A place of its own for each of a known set of hashes. The hashes are put into groups of a few,
 * and for each group a pilot is sought: a number with which all of the group fall on free places.
 * So where a hash would be is computed from one byte, without a search; and a tag for each place, a
 * byte of the hash there, says of nearly all others that they are not in the set. Hashes in whose
 * group there is no pilot, as with equal ones, are homeless: they lie behind the places, to be
 * looked for one by one.
 */
struct perfect_hash {
    const uint8_t *pilots; /* of the groups, and then tags of the places, 0: nobody */
    uint32_t groups;
    uint32_t places;
};

#define PERFECT_HASH_NO_PILOT 255u
/* Answers of a search beside a place. */
#define PERFECT_HASH_ABSENT UINT32_MAX
#define PERFECT_HASH_HOMELESS (UINT32_MAX - 1)
/* More hashes are refused. */
#define PERFECT_HASH_MOST (UINT32_MAX / 4)

/* For so many hashes; one place of sixteen stays free, where the last groups find theirs. */
static inline struct perfect_hash perfect_hash_shape(uint32_t count)
{
    return (struct perfect_hash){.groups = count / 2 + 1, .places = count + count / 16 + 1};
}

/* Bytes that `pilots` has. */
static inline size_t perfect_hash_size(const struct perfect_hash *perfect)
{
    return (size_t)perfect->groups + perfect->places;
}

/* Seeks pilots and sets the tags: perfect_hash_size bytes, zeroed. The place of each hash, or
 * PERFECT_HASH_HOMELESS, goes to `places_out`. All bits of a hash are mixed. Returns whether there
 * was memory. */
bool perfect_hash_seek(const uint64_t *hashes, uint32_t count, uint8_t *pilots_out,
                       uint32_t *places_out);

/* 0 to count - 1, by the size of `hash`. */
static inline uint32_t perfect_hash_scale(uint32_t hash, uint32_t count)
{
    return (uint32_t)((uint64_t)hash * count >> 32);
}

static inline uint32_t perfect_hash_group(const struct perfect_hash *perfect, uint64_t hash)
{
    return perfect_hash_scale((uint32_t)(hash >> 32), perfect->groups);
}

static inline uint32_t perfect_hash_place(const struct perfect_hash *perfect, uint64_t hash,
                                          uint8_t pilot)
{
    uint32_t mixed = ((uint32_t)hash ^ pilot * 0x9e3779b9u) * 0x85ebca6bu;
    return perfect_hash_scale(mixed, perfect->places);
}

/* Not of the lowest bits, which a user whose hashes begin alike has turned there. */
static inline uint8_t perfect_hash_tag(uint64_t hash)
{
    return (uint8_t)(hash >> 16) | 1;
}

/* The only place where it can be, if it is there; PERFECT_HASH_ABSENT: it is not in the set;
 * PERFECT_HASH_HOMELESS: it can be behind the places only. */
static inline uint32_t perfect_hash_find(const struct perfect_hash *perfect, uint64_t hash)
{
    uint8_t pilot = perfect->pilots[perfect_hash_group(perfect, hash)];
    if (pilot == PERFECT_HASH_NO_PILOT) {
        return PERFECT_HASH_HOMELESS;
    }
    uint32_t place = perfect_hash_place(perfect, hash, pilot);
    bool found = perfect->pilots[perfect->groups + place] == perfect_hash_tag(hash);
    return found ? place : PERFECT_HASH_ABSENT;
}
