#include "agent/tcp/membership.h"

/* A SYN captured late lies at most so far before what the stream had to begin with. */
#define LATE_SYN_DISTANCE (UINT64_C(1) << 20)

bool membership_ack_fits(const struct stream *peer, const struct segment *segment)
{
    uint64_t ack = stream_offset(peer, segment->acknowledgment);
    return stream_is_near(peer, ack) && !(peer->syn_seen && ack < peer->start);
}

bool membership_is_stranger(const struct flow *flow, unsigned side, const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    if (own->known) {
        uint64_t offset = stream_offset_of(own, segment);
        /* A keep-alive repeats the byte before the next, which may be the SYN. */
        bool before_start = own->syn_seen && offset + 1 < own->start;
        if (!stream_is_near(own, offset) || before_start) {
            return true;
        }
    }
    return (segment->flags & TCP_ACK) != 0 && peer->known && !membership_ack_fits(peer, segment);
}

/* A SYN that is not the one that this flow began with. */
static bool is_other_syn(const struct flow *flow, unsigned side, const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    uint64_t start = stream_offset_of(own, segment);
    if (!own->synced) {
        return !stream_is_near(own, start) || start > own->end;
    }
    bool second_answer = (segment->flags & TCP_ACK) != 0 && peer->syn_seen &&
                         stream_offset(peer, segment->acknowledgment) == peer->start;
    bool late = !own->syn_seen && start < own->start && own->start - start <= LATE_SYN_DISTANCE;
    return start != own->start && !second_answer && !late;
}

bool membership_begins_another(const struct flow *flow, unsigned side,
                               const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    if ((segment->flags & TCP_RST) != 0 || !own->known) {
        return false;
    }
    if ((segment->flags & TCP_SYN) != 0) {
        return is_other_syn(flow, side, segment);
    }
    if (segment->payload_length == 0) {
        return false;
    }
    bool stranger = membership_is_stranger(flow, side, segment);
    if (flow->closed) {
        return stranger || stream_offset_of(own, segment) + segment->payload_length > own->end;
    }
    return stranger && flow->strangers >= MEMBERSHIP_STRANGERS_MAX;
}

bool membership_is_valid_reset(const struct flow *flow, unsigned side,
                               const struct segment *segment)
{
    const struct stream *own = &flow->streams[side];
    const struct stream *peer = &flow->streams[1 - side];
    if (own->known) {
        uint64_t offset = stream_offset_of(own, segment);
        return stream_is_near(own, offset) && offset >= stream_clip(own, own->acked) &&
               !(own->syn_seen && offset < own->start);
    }
    return !peer->syn_seen ||
           ((segment->flags & TCP_ACK) != 0 && membership_ack_fits(peer, segment));
}
