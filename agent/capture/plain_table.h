#pragma once

#include "agent/base/plain_bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* What the kernel filter of one ring is told to be plain, in the order that it needs. */
#define PLAIN_TABLE_MAX 128

struct plain_table {
    struct plain_bytes flows[PLAIN_TABLE_MAX];
    uint32_t told[PLAIN_TABLE_MAX]; /* when, in tellings */
    size_t count;
    uint32_t tellings;
    bool changed; /* since the user last cleared it */
};

/* Takes the place of what was told of the same direction; PLAIN_NONE takes it away. When the table
 * is full, the one told longest ago goes: its packets are whole again. */
void plain_table_tell(struct plain_table *table, const struct plain_bytes *plain);
