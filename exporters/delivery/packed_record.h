#pragma once

#include "exporters/exchange_record.h"

/*
 * A record with its texts and interim statuses as one run of bytes, for the ring between a worker
 * and the delivery thread. Aligned as the ring's records are.
 */
size_t packed_record_size(const struct exchange_record *record);

/* Writes packed_record_size bytes. */
void packed_record_write(const struct exchange_record *record, void *room);

/* The record that was written there; its texts point into `packed`. */
void packed_record_read(const void *packed, struct exchange_record *record_out);
