#pragma once

#include "agent/decode/segment.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One direction of a connection. Positions are 64-bit offsets that never wrap; the first byte seen
 * lies at STREAM_ORIGIN, so that bytes captured late lie before it and not below zero.
 */
#define STREAM_ORIGIN (UINT64_C(1) << 32)
#define STREAM_NO_END UINT64_MAX
/* An offset further away than this is of another connection or forged: TCP's window may reach
 * 1 GiB, but no more than this is ever in flight on a pod's link. */
#define STREAM_NEAR (UINT64_C(64) << 20)

struct stream {
    uint64_t start;   /* where the delivery began */
    uint64_t next;    /* everything before is delivered or declared missing */
    uint64_t end;     /* behind the last byte once the FIN was seen, else STREAM_NO_END */
    uint64_t end_ack; /* what the FIN acknowledged of the other stream, 0: nothing */
    uint64_t acked;   /* the highest acknowledgment by the other side, 0: none */
    uint32_t origin;  /* the sequence number at STREAM_ORIGIN */
    bool known;       /* origin is set */
    bool seen;        /* a segment of this side was captured */
    bool synced;      /* start and next are set */
    bool syn_seen;    /* and start lies behind it */
    bool payload_seen;
    bool ended;                     /* the end was delivered */
    enum frame_direction direction; /* of this side's segments */
};

/* Takes the sequence number as the one at STREAM_ORIGIN, once. */
void stream_learn_origin(struct stream *stream, uint32_t sequence);

/* The offset of a sequence number, as near to the next byte as 32 bits allow. The origin is known.
 */
uint64_t stream_offset(const struct stream *stream, uint32_t sequence);

/* The offset of a segment's first byte of payload, and so of its FIN; its SYN lies before. */
uint64_t stream_offset_of(const struct stream *stream, const struct segment *segment);

/* Near enough to what the stream has shown to be of the same connection. */
bool stream_is_near(const struct stream *stream, uint64_t offset);

/* The sequence number of the next byte. The origin is known. */
static inline uint32_t stream_next_sequence(const struct stream *stream)
{
    return stream->origin + (uint32_t)(stream->next - STREAM_ORIGIN);
}

/* Begins the delivery of a stream at `start`, or at its end, once. */
void stream_sync(struct stream *stream, uint64_t start);

/* Before `end`, if the end is known. */
static inline uint64_t stream_clip(const struct stream *stream, uint64_t offset)
{
    return offset < stream->end ? offset : stream->end;
}
