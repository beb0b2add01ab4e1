#pragma once

#include "exporters/metric_set.h"

/* The process_* families that Prometheus clients share: CPU, memory, descriptors, start time. What
 * /proc does not tell is left out. Any thread. */
void process_metrics_write(const struct metric_sink *sink);
