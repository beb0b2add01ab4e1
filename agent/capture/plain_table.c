#include "agent/capture/plain_table.h"

#include "agent/capture/plain_filter.h"

#include <string.h>

static bool is_same_end(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_equal(&a->address, &b->address);
}

static bool is_same(const struct plain_bytes *a, const struct plain_bytes *b)
{
    return a->interface == b->interface && is_same_end(&a->source, &b->source) &&
           is_same_end(&a->destination, &b->destination);
}

/* `count` when it is not there. */
static size_t find(const struct plain_table *table, const struct plain_bytes *plain)
{
    size_t at = 0;
    while (at < table->count && !is_same(&table->flows[at], plain)) {
        at++;
    }
    return at;
}

static size_t oldest(const struct plain_table *table)
{
    size_t found = 0;
    for (size_t i = 1; i < table->count; i++) {
        /* tellings wrap: by their distance from now */
        if (table->tellings - table->told[i] > table->tellings - table->told[found]) {
            found = i;
        }
    }
    return found;
}

static void take_out(struct plain_table *table, size_t at)
{
    size_t behind = table->count - at - 1;
    memmove(&table->flows[at], &table->flows[at + 1], behind * sizeof(table->flows[0]));
    memmove(&table->told[at], &table->told[at + 1], behind * sizeof(table->told[0]));
    table->count--;
}

static void put_in(struct plain_table *table, const struct plain_bytes *plain)
{
    size_t at = 0;
    while (at < table->count && plain_filter_compare(&table->flows[at], plain) < 0) {
        at++;
    }
    size_t behind = table->count - at;
    memmove(&table->flows[at + 1], &table->flows[at], behind * sizeof(table->flows[0]));
    memmove(&table->told[at + 1], &table->told[at], behind * sizeof(table->told[0]));
    table->flows[at] = *plain;
    table->told[at] = table->tellings;
    table->count++;
}

void plain_table_tell(struct plain_table *table, const struct plain_bytes *plain)
{
    size_t at = find(table, plain);
    if (at == table->count && plain->kind == PLAIN_NONE) {
        return;
    }
    table->tellings++;
    table->changed = true;
    if (at < table->count) {
        take_out(table, at);
    }
    if (plain->kind == PLAIN_NONE) {
        return;
    }
    if (table->count == PLAIN_TABLE_MAX) {
        take_out(table, oldest(table));
    }
    put_in(table, plain);
}
