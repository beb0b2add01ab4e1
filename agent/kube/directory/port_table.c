#include "agent/kube/directory/port_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct port_table {
    atomic_uint holders;
    size_t count;
    struct port_name names[];
};

struct port_table *port_table_new(const struct port_name *names, size_t count)
{
    struct port_table *table = malloc(sizeof(*table) + count * sizeof(*names));
    if (table == NULL) {
        return NULL;
    }
    atomic_init(&table->holders, 1);
    table->count = count;
    if (count > 0) {
        memcpy(table->names, names, count * sizeof(*names));
    }
    return table;
}

void port_table_acquire(struct port_table *table)
{
    atomic_fetch_add(&table->holders, 1);
}

void port_table_release(struct port_table *table)
{
    if (table != NULL && atomic_fetch_sub(&table->holders, 1) == 1) {
        free(table);
    }
}

uint32_t port_table_find(const struct port_table *table, uint16_t port)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->names[middle].port < port) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < table->count && table->names[low].port == port ? table->names[low].name : 0;
}

const struct port_name *port_table_names(const struct port_table *table, size_t *count_out)
{
    *count_out = table->count;
    return table->names;
}
