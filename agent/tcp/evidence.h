#pragma once

#include "agent/tcp/patience.h"

#include <stdbool.h>
#include <stdint.h>

/* Acknowledgments remembered per stream; patience is kept to an eighth of it. */
#define EVIDENCE_MAX 8

/* What the receiver of a stream had acknowledged, and since when that is known. */
struct evidence {
    struct {
        uint64_t acked;
        struct moment since;
    } marks[EVIDENCE_MAX]; /* both ascend */
    unsigned count;
    uint64_t acked;  /* the highest, maybe without a mark yet */
    uint64_t lowest; /* 0: none */
};

void evidence_add(struct evidence *evidence, uint64_t acked, const struct patience *patience,
                  struct moment now);

/* Up to where the stream has been acknowledged for longer than patience lasts; 0: nowhere. Forgets
 * what `next` has passed. */
uint64_t evidence_overdue(struct evidence *evidence, uint64_t next, const struct patience *patience,
                          struct moment now);

/* Whether a part of it is going to be overdue. */
bool evidence_ripens(const struct evidence *evidence, uint64_t next,
                     const struct patience *patience, struct moment now);

/* The acknowledgments so far prove nothing behind `next`. */
void evidence_forget(struct evidence *evidence, uint64_t next);
