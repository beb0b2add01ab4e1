#pragma once

#include <stddef.h>
#include <stdint.h>

/* What the ports are called that every node answers on; immutable, shared. */
struct port_table;

struct port_name {
    uint16_t port;
    uint32_t name;
};

/* Copies the names, which are in the order of their ports, one each. Held once. NULL: out of
 * memory. */
struct port_table *port_table_new(const struct port_name *names, size_t count);

/* Any thread. The last release frees it; NULL is fine. */
void port_table_acquire(struct port_table *table);
void port_table_release(struct port_table *table);

/* Any thread: the name, or 0. */
uint32_t port_table_find(const struct port_table *table, uint16_t port);

/* The names as they were copied. */
const struct port_name *port_table_names(const struct port_table *table, size_t *count_out);
