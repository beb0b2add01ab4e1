#pragma once

#include "exporters/metric_set.h"

/*
 * Whole families of one value each, for what a program tells about itself. A family may be asked
 * for once per set.
 */

/* A counter: `name` ends in "_total". */
void metric_emit_counter(const struct metric_sink *sink, const char *name, const char *help,
                         uint64_t value);

void metric_emit_gauge(const struct metric_sink *sink, const char *name, const char *help,
                       double value);

/* A gauge that is always 1 and says what it has to say in its labels. */
void metric_emit_info(const struct metric_sink *sink, const char *name, const char *help,
                      const struct metric_label *labels, size_t label_count);
