#pragma once

#include "agent/aggregate/snapshot.h"

#include "exporters/metric_set.h"

/* Writes every family that has a point in the snapshot. Returns 0, or -ENOMEM before anything was
 * written. */
int families_write(const struct snapshot *snapshot, const struct metric_sink *sink);
