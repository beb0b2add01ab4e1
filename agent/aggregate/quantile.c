#include "agent/aggregate/quantile.h"

#include <math.h>

static double total_of(const struct metric_exponential *exponential)
{
    double total = (double)exponential->zero_count;
    for (size_t i = 0; i < exponential->count; i++) {
        total += (double)exponential->counts[i];
    }
    return total;
}

double quantile_of(const struct metric_exponential *exponential, double rank)
{
    double total = total_of(exponential);
    if (total == 0) {
        return NAN;
    }
    double wanted = fmin(fmax(rank, 0), 1) * total;
    double passed = (double)exponential->zero_count;
    if (wanted <= passed && passed > 0) {
        return 0;
    }
    double exponent = 0;
    double width = exp2(-exponential->schema);
    for (size_t i = 0; i < exponential->count; i++) {
        double count = (double)exponential->counts[i];
        if (count == 0) {
            continue;
        }
        double share = fmin((wanted - passed) / count, 1);
        exponent = ((double)exponential->first_index + (double)i + share) * width;
        passed += count;
        if (wanted <= passed) {
            break;
        }
    }
    return exp2(exponent);
}
