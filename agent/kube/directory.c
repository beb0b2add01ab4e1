#include "agent/kube/directory.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/*
 * All prefixes share one open-addressing hash table keyed by (masked address, length, port). A
 * look-up probes once per prefix length that occurs in its address family, longest first, and there
 * for the port before every port: so the first hit is the answer. Real directories have two or
 * three lengths. Slots carry a part of the hash, so a miss hardly ever touches a prefix; the table
 * is at most half full, so a probe ends after one or two slots.
 */

#define ADDRESS_BITS 128
#define IPV4_PREFIX_BITS 96 /* of the mapped form */

struct key {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t bits;
};

struct prefix {
    struct key key;
    uint32_t workload; /* index */
};

struct slot {
    uint32_t tag;
    uint32_t prefix; /* index + 1; 0: free */
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

struct directory {
    struct prefix *prefixes;
    struct slot *slots;
    struct workload *workloads;
    char *names; /* what the workloads' slices point into */
    size_t prefix_count;
    size_t workload_count;
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
static struct slot *find_slot(const struct directory *directory, const struct key *key)
{
    uint64_t hash = hash_of(key);
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t at = (uint32_t)hash;; at++) {
        struct slot *slot = &directory->slots[at & directory->slot_mask];
        if (slot->prefix == 0 ||
            (slot->tag == tag && key_equal(&directory->prefixes[slot->prefix - 1].key, key))) {
            return slot;
        }
    }
}

static bool probe(const struct directory *directory, const struct key *key,
                  struct workload *workload_out)
{
    const struct slot *slot = find_slot(directory, key);
    if (slot->prefix == 0) {
        return false;
    }
    *workload_out = directory->workloads[directory->prefixes[slot->prefix - 1].workload];
    return true;
}

enum directory_answer directory_find(const struct directory *directory,
                                     const struct endpoint *endpoint,
                                     struct workload *workload_out)
{
    const struct lengths *lengths =
        address_is_ipv4(&endpoint->address) ? &directory->ipv4 : &directory->ipv6;
    const struct key whole = key_of(&endpoint->address);
    for (size_t i = 0; i < lengths->count; i++) {
        const struct length *length = &lengths->items[i];
        struct key key = {.high = whole.high & length->high_mask,
                          .low = whole.low & length->low_mask,
                          .port = endpoint->port,
                          .bits = length->bits};
        if (length->one_port && endpoint->port != 0 && probe(directory, &key, workload_out)) {
            return DIRECTORY_KNOWN;
        }
        key.port = 0;
        if (length->every_port && probe(directory, &key, workload_out)) {
            return DIRECTORY_KNOWN;
        }
    }
    return directory->prefix_count == 0 ? DIRECTORY_UNNAMED : DIRECTORY_EXTERNAL;
}

static int compare_names(const void *a, const void *b)
{
    const struct directory_entry *first = *(const struct directory_entry *const *)a;
    const struct directory_entry *second = *(const struct directory_entry *const *)b;
    int order = strcmp(first->namespace, second->namespace);
    return order != 0 ? order : strcmp(first->service, second->service);
}

/* Appends text to the names; the room was measured before. */
static struct slice add_name(char **at, const char *text)
{
    struct slice name = {*at, strlen(text)};
    memcpy(*at, text, name.length + 1);
    *at += name.length + 1;
    return name;
}

/* Gives every pair of names its workload. `sorted` are the entries by name; `workload_of` receives
 * the workload's index for each entry of `entries`. */
static bool build_workloads(struct directory *directory, const struct directory_entry *entries,
                            const struct directory_entry **sorted, uint32_t *workload_of,
                            size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &entries[i];
        size += strlen(entries[i].namespace) + strlen(entries[i].service) + 2;
    }
    qsort(sorted, count, sizeof(const struct directory_entry *), compare_names);
    char *at = directory->names = malloc(size);
    if (at == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || compare_names(&sorted[i - 1], &sorted[i]) != 0) {
            struct workload *workload = &directory->workloads[directory->workload_count++];
            workload->namespace = add_name(&at, sorted[i]->namespace);
            workload->service = add_name(&at, sorted[i]->service);
            workload->called_namespace = workload->namespace;
            workload->called = workload->service;
            workload->id = (uint32_t)directory->workload_count;
        }
        workload_of[sorted[i] - entries] = (uint32_t)directory->workload_count - 1;
    }
    return true;
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

/* The first entry of two with the same range and port counts. */
static void add_prefix(struct directory *directory, const struct prefix *prefix)
{
    struct slot *slot = find_slot(directory, &prefix->key);
    if (slot->prefix != 0) {
        return;
    }
    directory->prefixes[directory->prefix_count++] = *prefix;
    slot->tag = (uint32_t)(hash_of(&prefix->key) >> 32);
    slot->prefix = (uint32_t)directory->prefix_count;
}

static void build_prefixes(struct directory *directory, const struct directory_entry *entries,
                           const uint32_t *workload_of, size_t count)
{
    struct length ipv4[ADDRESS_BITS + 1] = {0};
    struct length ipv6[ADDRESS_BITS + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct directory_entry *entry = &entries[i];
        unsigned bits = entry->prefix_bits > ADDRESS_BITS ? ADDRESS_BITS : entry->prefix_bits;
        struct prefix prefix = {key_of(&entry->address), workload_of[i]};
        prefix.key.high &= mask_of(bits);
        prefix.key.low &= bits <= 64 ? 0 : mask_of(bits - 64);
        prefix.key.port = entry->port;
        prefix.key.bits = (uint8_t)bits;
        bool mapped = bits >= IPV4_PREFIX_BITS && address_is_ipv4(&entry->address);
        if (mapped || bits < IPV4_PREFIX_BITS) {
            note_length(ipv4, &prefix.key); /* a short one may hold the mapped addresses: "::/0" */
        }
        if (!mapped) {
            note_length(ipv6, &prefix.key);
        }
        add_prefix(directory, &prefix);
    }
    collect_lengths(&directory->ipv4, ipv4);
    collect_lengths(&directory->ipv6, ipv6);
}

/* Everything zeroed; at least twice as many slots as prefixes. */
static struct directory *allocate(size_t count)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        return NULL;
    }
    size_t slots = 2;
    while (slots < count * 2) {
        slots *= 2;
    }
    directory->slot_mask = (uint32_t)(slots - 1);
    directory->slots = calloc(slots, sizeof(*directory->slots));
    directory->prefixes = calloc(count + 1, sizeof(*directory->prefixes));
    directory->workloads = calloc(count + 1, sizeof(*directory->workloads));
    if (directory->slots == NULL || directory->prefixes == NULL || directory->workloads == NULL) {
        directory_free(directory);
        return NULL;
    }
    return directory;
}

struct directory *directory_new(const struct directory_entry *entries, size_t count)
{
    struct directory *directory = allocate(count);
    const struct directory_entry **sorted = calloc(count + 1, sizeof(*sorted));
    uint32_t *workload_of = calloc(count + 1, sizeof(*workload_of));
    bool built = directory != NULL && sorted != NULL && workload_of != NULL &&
                 build_workloads(directory, entries, sorted, workload_of, count);
    if (built) {
        build_prefixes(directory, entries, workload_of, count);
    }
    free(sorted);
    free(workload_of);
    if (!built) {
        directory_free(directory);
        return NULL;
    }
    return directory;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    free(directory->prefixes);
    free(directory->slots);
    free(directory->workloads);
    free(directory->names);
    free(directory);
}
