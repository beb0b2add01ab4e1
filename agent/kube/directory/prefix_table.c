#include "agent/kube/directory/prefix_table.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * All prefixes share one open-addressing hash table keyed by (masked address, length, port). A
 * look-up probes once per prefix length that occurs in its address family, longest first, and there
 * for the port before every port: so the first hit is the answer. Real tables have two or three
 * lengths. Slots carry a part of the hash, so a miss hardly ever touches a prefix; the table is at
 * most half full, so a probe ends after one or two slots.
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
};

struct slot {
    uint32_t tag;
    uint32_t item; /* index + 1; 0: free */
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
    struct item *items;
    struct slot *slots;
    size_t count;
    uint32_t slot_mask;
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

/* Multiply and fold twice: every bit of the key reaches the slot's bits and the tag's. */
static uint64_t hash_of(const struct key *key)
{
    uint64_t hash = key->high * 0x9e3779b97f4a7c15u ^ ((uint64_t)key->port << 8 | key->bits);
    hash = (hash ^ hash >> 32 ^ key->low) * 0xd6e8feb86659fd93u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

/* The slot of the key, or the free one where it would go. */
static struct slot *find_slot(const struct prefix_table *table, const struct key *key)
{
    uint64_t hash = hash_of(key);
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = (uint32_t)hash;; at++) {
        struct slot *slot = &table->slots[at & table->slot_mask];
        if (slot->item == 0 ||
            (slot->tag == tag && key_equal(&table->items[slot->item - 1].key, key))) {
            return slot;
        }
    }
}

static bool probe(const struct prefix_table *table, const struct key *key, uint32_t *name_out)
{
    const struct slot *slot = find_slot(table, key);
    if (slot->item == 0) {
        return false;
    }
    *name_out = table->items[slot->item - 1].name;
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

static void add_item(struct prefix_table *table, const struct item *item)
{
    struct slot *slot = find_slot(table, &item->key);
    if (slot->item != 0) {
        return;
    }
    table->items[table->count++] = *item;
    slot->tag = (uint32_t)(hash_of(&item->key) >> 32);
    slot->item = (uint32_t)table->count;
}

static void add_prefixes(struct prefix_table *table, const struct prefix *prefixes, size_t count)
{
    struct length ipv4[ADDRESS_BITS + 1] = {0};
    struct length ipv6[ADDRESS_BITS + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct prefix *prefix = &prefixes[i];
        unsigned bits = prefix->bits > ADDRESS_BITS ? ADDRESS_BITS : prefix->bits;
        struct item item = {key_of(&prefix->address), prefix->name};
        item.key.high &= mask_of(bits);
        item.key.low &= bits <= 64 ? 0 : mask_of(bits - 64);
        item.key.port = prefix->port;
        item.key.bits = (uint8_t)bits;
        bool mapped = bits >= IPV4_PREFIX_BITS && address_is_ipv4(&prefix->address);
        if (mapped || bits < IPV4_PREFIX_BITS) {
            note_length(ipv4, &item.key); /* a short one may hold the mapped addresses: "::/0" */
        }
        if (!mapped) {
            note_length(ipv6, &item.key);
        }
        add_item(table, &item);
    }
    collect_lengths(&table->ipv4, ipv4);
    collect_lengths(&table->ipv6, ipv6);
}

/* Everything zeroed; at least twice as many slots as prefixes. */
static struct prefix_table *allocate(size_t count)
{
    struct prefix_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    atomic_init(&table->holders, 1);
    size_t slots = 2;
    while (slots < count * 2) {
        slots *= 2;
    }
    table->slot_mask = (uint32_t)(slots - 1);
    table->slots = calloc(slots, sizeof(*table->slots));
    table->items = calloc(count + 1, sizeof(*table->items));
    if (table->slots == NULL || table->items == NULL) {
        prefix_table_release(table);
        return NULL;
    }
    return table;
}

struct prefix_table *prefix_table_new(const struct prefix *prefixes, size_t count)
{
    struct prefix_table *table = allocate(count);
    if (table != NULL) {
        add_prefixes(table, prefixes, count);
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
    free(table->slots);
    free(table);
}
