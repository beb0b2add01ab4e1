#pragma once

#include "agent/exchange/exchange.h"
#include "agent/kube/directory.h"

#include <stdbool.h>
#include <stdio.h>

/* The report for people: one row for each service and route, the busiest first. */
struct table;

/* NULL: out of memory. The directory outlives the table. */
struct table *table_new(const struct directory *directory);
void table_free(struct table *table);

/* Adds an exchange to its row. */
void table_exchange(struct table *table, const struct connection *connection,
                    const struct exchange *exchange);

/* Writes the rows, at most 100 columns wide. */
void table_print(struct table *table, bool color, FILE *out);
