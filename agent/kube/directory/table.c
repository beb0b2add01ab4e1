#include "agent/kube/directory/table.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 4
#define MOST_BITS 24
/* Records to a chain when there have to be more chains: their heads are a part of all memory. */
#define CHAIN_LENGTH 2u

void table_init(struct table *table, size_t record_size)
{
    pool_init(&table->pool, record_size);
}

void table_fini(struct table *table)
{
    pool_fini(&table->pool);
    free(table->heads);
    table->heads = NULL;
}

static void link_record(struct table *table, uint32_t index)
{
    struct table_link *link = table_at(table, index);
    uint32_t *head = &table->heads[table_chain(table, link->hash)];
    link->next = *head;
    *head = index;
}

/* Every chain splits into two neighbours; from the last one, so none is overwritten unread. */
static void split_chains(struct table *table)
{
    uint32_t former = 1u << table->bits;
    table->bits++;
    for (uint32_t chain = former; chain-- > 0;) {
        uint32_t index = table->heads[chain];
        table->heads[(size_t)chain * 2] = 0;
        table->heads[(size_t)chain * 2 + 1] = 0;
        while (index != 0) {
            uint32_t next = table_link(table, index)->next;
            link_record(table, index);
            index = next;
        }
    }
}

/* Without memory for more chains they become longer. */
static void grow(struct table *table)
{
    if (table->bits >= MOST_BITS) {
        return;
    }
    uint32_t *heads = realloc(table->heads, sizeof(*heads) << (table->bits + 1));
    if (heads != NULL) {
        table->heads = heads;
        split_chains(table);
    }
}

uint32_t table_add(struct table *table, uint32_t hash)
{
    if (table->heads == NULL) {
        table->heads = calloc(1u << FIRST_BITS, sizeof(*table->heads));
        if (table->heads == NULL) {
            return 0;
        }
        table->bits = FIRST_BITS;
    }
    uint32_t index = pool_take(&table->pool);
    if (index == 0) {
        return 0;
    }
    struct table_link *link = table_at(table, index);
    link->hash = hash;
    link_record(table, index);
    table->count++;
    if (table->count > CHAIN_LENGTH << table->bits) {
        grow(table);
    }
    return index;
}

void table_unlink(struct table *table, uint32_t index)
{
    const struct table_link *link = table_link(table, index);
    uint32_t *at = &table->heads[table_chain(table, link->hash)];
    while (*at != index) {
        at = &((struct table_link *)table_at(table, *at))->next;
    }
    *at = link->next;
    table->count--;
}

void table_remove(struct table *table, uint32_t index)
{
    table_unlink(table, index);
    pool_give(&table->pool, index);
}

uint32_t table_next(const struct table *table, uint32_t index)
{
    if (table->heads == NULL) {
        return 0;
    }
    size_t chain = 0;
    if (index != 0) {
        const struct table_link *link = table_link(table, index);
        if (link->next != 0) {
            return link->next;
        }
        chain = (size_t)table_chain(table, link->hash) + 1;
    }
    while (chain < (size_t)1 << table->bits && table->heads[chain] == 0) {
        chain++;
    }
    return chain < (size_t)1 << table->bits ? table->heads[chain] : 0;
}
