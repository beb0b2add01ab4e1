#include "agent/kube/directory/prefix_table.h"

#include "agent/kube/directory/perfect_hash.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * All prefixes share one perfect hash of (masked address, length, port). A look-up probes once per
 * prefix length that occurs in its address family, longest first, and there for the port before
 * every port: so the first hit is the answer. Real tables have two or three lengths. A miss hardly
 * ever touches a prefix.
 */

#define ADDRESS_BITS 128
#define IPV4_PREFIX_BITS 96 /* of the mapped form */

struct key {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t bits;
};

struct item {
    struct key key;
    uint32_t name;
    uint32_t rank; /* among those it was given with */
};

/* A prefix length that occurs, with or without ports. */
struct length {
    uint64_t high_mask;
    uint64_t low_mask;
    uint8_t bits;
    bool every_port;
    bool one_port;
};

struct lengths {
    struct length items[ADDRESS_BITS + 1];
    size_t count;
};

struct prefix_table {
    atomic_uint holders;
    struct perfect_hash index;
    uint8_t *index_memory;
    struct item *items; /* at their places; the homeless behind */
    uint32_t end;       /* of the items */
    uint32_t count;
    struct lengths ipv4;
    struct lengths ipv6;
};

static uint64_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

static struct key key_of(const struct address *address)
{
    uint64_t words[2];
    memcpy(words, address->bytes, sizeof(words));
    return (struct key){.high = be64toh(words[0]), .low = be64toh(words[1])};
}

static bool key_equal(const struct key *a, const struct key *b)
{
    return a->high == b->high && a->low == b->low && a->port == b->port && a->bits == b->bits;
}

/* Multiply and fold: every bit of the key reaches all of the hash. */
static uint64_t hash_of(const struct key *key)
{
    uint64_t hash = key->high * 0x9e3779b97f4a7c15u ^ ((uint64_t)key->port << 8 | key->bits);
    hash = (hash ^ hash >> 32 ^ key->low) * 0xd6e8feb86659fd93u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static const struct item *find_homeless(const struct prefix_table *table, const struct key *key)
{
    for (uint32_t at = table->index.places; at < table->end; at++) {
        if (key_equal(&table->items[at].key, key)) {
            return &table->items[at];
        }
    }
    return NULL;
}

static bool probe(const struct prefix_table *table, const struct key *key, uint32_t *name_out)
{
    uint32_t at = perfect_hash_find(&table->index, hash_of(key));
    const struct item *item = NULL;
    if (at == PERFECT_HASH_HOMELESS) {
        item = find_homeless(table, key);
    } else if (at != PERFECT_HASH_ABSENT && key_equal(&table->items[at].key, key)) {
        item = &table->items[at];
    }
    if (item == NULL) {
        return false;
    }
    *name_out = item->name;
    return true;
}

static bool probe_length(const struct prefix_table *table, const struct length *length,
                         const struct key *whole, uint32_t *name_out)
{
    struct key key = {.high = whole->high & length->high_mask,
                      .low = whole->low & length->low_mask,
                      .port = whole->port,
                      .bits = length->bits};
    if (length->one_port && key.port != 0 && probe(table, &key, name_out)) {
        return true;
    }
    key.port = 0;
    return length->every_port && probe(table, &key, name_out);
}

/* The whole address is the longest prefix, so it is the first length if it occurs. */
static size_t whole_lengths(const struct lengths *lengths)
{
    return lengths->count > 0 && lengths->items[0].bits == ADDRESS_BITS ? 1 : 0;
}

bool prefix_table_find_whole(const struct prefix_table *table, const struct endpoint *endpoint,
                             bool ipv4, uint32_t *name_out)
{
    const struct lengths *lengths = ipv4 ? &table->ipv4 : &table->ipv6;
    if (whole_lengths(lengths) == 0) {
        return false;
    }
    struct key key = key_of(&endpoint->address);
    key.port = endpoint->port;
    return probe_length(table, &lengths->items[0], &key, name_out);
}

bool prefix_table_find_shorter(const struct prefix_table *table, const struct endpoint *endpoint,
                               bool ipv4, uint32_t *name_out)
{
    const struct lengths *lengths = ipv4 ? &table->ipv4 : &table->ipv6;
    struct key key = key_of(&endpoint->address);
    key.port = endpoint->port;
    for (size_t i = whole_lengths(lengths); i < lengths->count; i++) {
        if (probe_length(table, &lengths->items[i], &key, name_out)) {
            return true;
        }
    }
    return false;
}

bool prefix_table_has_whole(const struct prefix_table *table, bool ipv4)
{
    return whole_lengths(ipv4 ? &table->ipv4 : &table->ipv6) > 0;
}

bool prefix_table_is_empty(const struct prefix_table *table)
{
    return table->count == 0;
}

/* Marks the length as one that look-ups have to try. */
static void note_length(struct length *by_bits, const struct key *key)
{
    by_bits[key->bits].every_port |= key->port == 0;
    by_bits[key->bits].one_port |= key->port != 0;
}

static void collect_lengths(struct lengths *lengths, const struct length *by_bits)
{
    for (unsigned bits = ADDRESS_BITS + 1; bits-- > 0;) {
        if (by_bits[bits].every_port || by_bits[bits].one_port) {
            lengths->items[lengths->count++] = (struct length){
                .high_mask = mask_of(bits),
                .low_mask = bits <= 64 ? 0 : mask_of(bits - 64),
                .bits = (uint8_t)bits,
                .every_port = by_bits[bits].every_port,
                .one_port = by_bits[bits].one_port,
            };
        }
    }
}

static struct item item_of(const struct prefix *prefix, uint32_t rank)
{
    unsigned bits = prefix->bits > ADDRESS_BITS ? ADDRESS_BITS : prefix->bits;
    struct item item = {key_of(&prefix->address), prefix->name, rank};
    item.key.high &= mask_of(bits);
    item.key.low &= bits <= 64 ? 0 : mask_of(bits - 64);
    item.key.port = prefix->port;
    item.key.bits = (uint8_t)bits;
    return item;
}

static void note_lengths(struct prefix_table *table, const struct item *items, uint32_t count)
{
    struct length ipv4[ADDRESS_BITS + 1] = {0};
    struct length ipv6[ADDRESS_BITS + 1] = {0};
    for (uint32_t i = 0; i < count; i++) {
        const struct key *key = &items[i].key;
        bool mapped = key->bits >= IPV4_PREFIX_BITS && key->high == 0 && key->low >> 32 == 0xffff;
        if (mapped || key->bits < IPV4_PREFIX_BITS) {
            note_length(ipv4, key); /* a short one may hold the mapped addresses: "::/0" */
        }
        if (!mapped) {
            note_length(ipv6, key);
        }
    }
    collect_lengths(&table->ipv4, ipv4);
    collect_lengths(&table->ipv6, ipv6);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By key, and of equal ones the first first. */
static int compare_items(const void *a, const void *b)
{
    const struct item *first = a;
    const struct item *second = b;
    const struct key *one = &first->key;
    const struct key *other = &second->key;
    int order = compare_numbers(one->high, other->high);
    order = order != 0 ? order : compare_numbers(one->low, other->low);
    order = order != 0 ? order : compare_numbers(one->port, other->port);
    order = order != 0 ? order : compare_numbers(one->bits, other->bits);
    return order != 0 ? order : compare_numbers(first->rank, second->rank);
}
/* In the order of their keys, one of each. Returns how many. */
static uint32_t unique_items(struct item *items, const struct prefix *prefixes, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        items[i] = item_of(&prefixes[i], i);
    }
    qsort(items, count, sizeof(*items), compare_items);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || !key_equal(&items[kept - 1].key, &items[i].key)) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

/* Puts the items at the places that their hashes have. */
static bool place_items(struct prefix_table *table, const struct item *items,
                        const uint64_t *hashes, uint32_t *places)
{
    struct perfect_hash shape = perfect_hash_shape(table->count);
    table->index_memory = calloc(1, perfect_hash_size(&shape));
    if (table->index_memory == NULL ||
        !perfect_hash_seek(hashes, table->count, table->index_memory, places)) {
        return false;
    }
    table->end = shape.places;
    for (uint32_t i = 0; i < table->count; i++) {
        places[i] = places[i] == PERFECT_HASH_HOMELESS ? table->end++ : places[i];
    }
    table->items = calloc(table->end, sizeof(*table->items));
    if (table->items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        table->items[places[i]] = items[i];
    }
    table->index = shape;
    table->index.pilots = table->index_memory;
    return true;
}

static bool fill(struct prefix_table *table, const struct prefix *prefixes, uint32_t count)
{
    struct item *items = calloc((size_t)count + 1, sizeof(*items));
    uint64_t *hashes = calloc((size_t)count + 1, sizeof(*hashes));
    uint32_t *places = calloc((size_t)count + 1, sizeof(*places));
    bool made = items != NULL && hashes != NULL && places != NULL;
    if (made) {
        table->count = unique_items(items, prefixes, count);
        for (uint32_t i = 0; i < table->count; i++) {
            hashes[i] = hash_of(&items[i].key);
        }
        note_lengths(table, items, table->count);
        made = place_items(table, items, hashes, places);
    }
    free(items);
    free(hashes);
    free(places);
    return made;
}

struct prefix_table *prefix_table_new(const struct prefix *prefixes, size_t count)
{
    struct prefix_table *table = count > PERFECT_HASH_MOST ? NULL : calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    atomic_init(&table->holders, 1);
    if (!fill(table, prefixes, (uint32_t)count)) {
        prefix_table_release(table);
        return NULL;
    }
    return table;
}

void prefix_table_acquire(struct prefix_table *table)
{
    atomic_fetch_add(&table->holders, 1);
}

void prefix_table_release(struct prefix_table *table)
{
    if (table == NULL || atomic_fetch_sub(&table->holders, 1) != 1) {
        return;
    }
    free(table->items);
    free(table->index_memory);
    free(table);
}
