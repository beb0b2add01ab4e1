#pragma once

#include "tests/support/random_talk.h"
#include "tests/support/wire.h"

#include <stddef.h>

/* What networks and captures do to the packets of a connection without changing what was said. */

/* A copy whose payload packets are cut to at most `size` bytes (0: to random sizes). */
struct wire mutation_cut(const struct wire *wire, size_t size, struct random_source *random);

/* A copy whose packet `index` is cut behind its first `at` bytes. */
struct wire mutation_cut_one(const struct wire *wire, size_t index, size_t at);

/* A copy in which some packets come again later. */
struct wire mutation_repeat(const struct wire *wire, double percent, struct random_source *random);

/* A copy in which some payload packets bring bytes again that came before, in front of their own.
 */
struct wire mutation_overlap(const struct wire *wire, double percent, struct random_source *random);

/* Each packet is captured up to `window` packets later than it was sent. */
void mutation_reorder(struct wire *wire, unsigned window, struct random_source *random);
