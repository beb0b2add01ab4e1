#pragma once

#include "agent/tcp/reassembly.h"

#include <stdbool.h>

/* How much longer a hole is waited for when no acknowledgment can be seen. */
#define LOSS_ONE_WAY_PATIENCE 8

/* Moves a waiting flow on by one start, gap or segment for which patience is over, or with `all`
 * by any. False: there is none. */
bool loss_declare_one(struct reassembly *reassembly, struct flow *flow, bool all);

/* Whether the acknowledgment covers just one more than was delivered, with nothing captured behind:
 * a FIN that was not captured, or not yet. No byte is missing, as far as anybody can tell. */
bool loss_is_only_fin(const struct flow *flow, unsigned side, uint64_t acked);

/* Whether patience is going to be over for something. */
bool loss_ripens(const struct reassembly *reassembly, const struct flow *flow);
