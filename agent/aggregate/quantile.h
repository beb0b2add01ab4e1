#pragma once

#include "exporters/metric_set.h"

/* The value below which the share `rank` (0 to 1) of the counted values lies, by geometric
 * interpolation inside its bucket: at most one bucket's width off. NaN when nothing was counted. */
double quantile_of(const struct metric_exponential *exponential, double rank);
