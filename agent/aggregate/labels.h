#pragma once

#include "agent/aggregate/snapshot.h"

#include "exporters/metric_set.h"

/* Labels of the widest family, server_address and server_port included. */
#define LABELS_MAX 10
/* Longest decimal of 16 bits, terminator included. */
#define LABELS_NUMBER_SIZE 8

/* The labels of one point, as every series kind says them. */
struct labels {
    struct metric_label labels[LABELS_MAX];
    size_t count;
    char port[LABELS_NUMBER_SIZE];
    char status[LABELS_NUMBER_SIZE];
};

/* Fills in the labels of an entry; they point into the snapshot and into `labels_out` itself. */
void labels_of(const struct snapshot *snapshot, const struct snapshot_entry *entry,
               struct labels *labels_out);
