#include "agent/tcp/evidence.h"

#include <string.h>

/* Marks the highest ACK as seen now, at most EVIDENCE_MAX times in one patience. */
static void add_mark(struct evidence *evidence, const struct patience *patience, struct moment now)
{
    unsigned count = evidence->count;
    if (count > 0) {
        uint64_t age = now.packet - evidence->marks[count - 1].since.packet;
        if (evidence->acked <= evidence->marks[count - 1].acked || count == EVIDENCE_MAX ||
            age < patience->packets / EVIDENCE_MAX) {
            return;
        }
    }
    evidence->marks[count].acked = evidence->acked;
    evidence->marks[count].since = now;
    evidence->count++;
}

void evidence_add(struct evidence *evidence, uint64_t acked, const struct patience *patience,
                  struct moment now)
{
    if (evidence->lowest == 0 || acked < evidence->lowest) {
        evidence->lowest = acked;
    }
    if (acked > evidence->acked) {
        evidence->acked = acked;
        add_mark(evidence, patience, now);
    }
}

uint64_t evidence_overdue(struct evidence *evidence, uint64_t next, const struct patience *patience,
                          struct moment now)
{
    uint64_t overdue = 0;
    unsigned passed = 0;
    for (unsigned i = 0; i < evidence->count; i++) {
        if (patience_is_over(patience, evidence->marks[i].since, now)) {
            overdue = evidence->marks[i].acked;
        }
        passed += evidence->marks[i].acked <= next;
    }
    evidence->count -= passed;
    memmove(evidence->marks, evidence->marks + passed,
            evidence->count * sizeof(evidence->marks[0]));
    if (evidence->acked > next) {
        add_mark(evidence, patience, now);
    }
    return overdue;
}

bool evidence_ripens(const struct evidence *evidence, uint64_t next,
                     const struct patience *patience, struct moment now)
{
    if (evidence->acked <= next) {
        return false;
    }
    unsigned count = evidence->count;
    return count == 0 || evidence->marks[count - 1].acked < evidence->acked ||
           !patience_is_over(patience, evidence->marks[count - 1].since, now);
}

void evidence_forget(struct evidence *evidence, uint64_t next)
{
    evidence->count = 0;
    evidence->acked = next;
}
