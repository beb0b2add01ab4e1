#pragma once

#include "agent/tcp/reassembly.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a flow waits with: segments that came too early, and what the receivers have acknowledged.
 * Private to the stage.
 */

/* Payload bytes of one held node: with its header two kilobytes, about one Ethernet segment. */
#define HELD_BYTES 1984
/* Acknowledgments remembered per stream: patience is kept to an eighth of it. */
#define EVIDENCE_MAX 8

/* Payload that waits for its turn; one segment may take several. */
struct held {
    struct held *next;
    uint64_t offset;
    uint64_t ack;
    uint64_t packet; /* arrival */
    int64_t arrival_ns;
    int64_t time_ns;
    uint32_t length;
    uint32_t captured;
    char bytes[HELD_BYTES];
};

/* "At this packet the receiver had acknowledged that much." */
struct evidence {
    uint64_t acked;
    uint64_t packet;
    int64_t arrival_ns;
};

/* What a stream waits for. */
struct waiting_side {
    struct held *head; /* by offset, no overlaps */
    struct held *tail;
    struct evidence evidence[EVIDENCE_MAX];
    unsigned evidence_count;
    uint64_t acked;      /* the latest, maybe not yet in the evidence */
    uint64_t lowest_ack; /* 0: none */
};

struct waiting {
    struct flow *flow;
    struct waiting *previous;
    struct waiting *next;
    uint64_t check_packet;
    int64_t check_ns;
    uint32_t held_count;
    struct waiting_side sides[FLOW_SIDES];
};

/* The flow's waiting state, made when it has none. NULL: no room. */
struct waiting *waiting_begin(struct reassembly *reassembly, struct flow *flow);

/* Lets go of everything that waits; the flow is in order again. */
void waiting_free(struct reassembly *reassembly, struct flow *flow);

/* Puts a flow that was looked at to the end of the list. */
void waiting_look_again(struct reassembly *reassembly, struct waiting *waiting);

/* Removes the front segment of a side. */
void waiting_pop(struct reassembly *reassembly, struct waiting *waiting, unsigned side);

/* Keeps what of the piece is not kept yet; bytes that are keep their first copy, and what differs
 * is counted. False: there was no room for all of it, and the piece is what is left. */
bool waiting_hold(struct reassembly *reassembly, struct flow *flow, unsigned side,
                  struct piece *piece);

/* Remembers that everything of the side before `ack` has arrived at the receiver. */
void waiting_note_ack(struct reassembly *reassembly, struct flow *flow, unsigned side,
                      uint64_t ack);

/* Whether patience with what came then is over. */
bool waiting_is_overdue(const struct reassembly *reassembly, uint64_t packet, int64_t arrival_ns);

/* Up to where the side has been acknowledged for longer than patience lasts; 0: nowhere. */
uint64_t waiting_overdue_ack(struct reassembly *reassembly, struct flow *flow, unsigned side);

/* Whether the side has anything to wait for. */
bool waiting_has_cause(const struct flow *flow, unsigned side);
