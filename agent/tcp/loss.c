#include "agent/tcp/loss.h"

#include "agent/tcp/delivery.h"

/*
 * What is missing for good. The evidence: the receiver acknowledged it, or answered it, so it was
 * there and the capture has not got it; or, where only one direction is captured, a long wait. With
 * `all` the flow is over and nothing is waited for.
 */

static bool is_overdue(const struct reassembly *reassembly, const struct held *held)
{
    return patience_is_over(&reassembly->patience, held->arrival, reassembly->now);
}

static bool can_start(const struct flow *flow, unsigned side)
{
    return !flow->streams[side].synced &&
           (waiting_head(flow, side) != NULL || flow->waiting->sides[side].evidence.lowest != 0);
}

/* A stream whose beginning was not seen starts at what there is of it. */
static void start_stream(struct flow *flow, unsigned side)
{
    const struct held *head = waiting_head(flow, side);
    uint64_t acked = flow->waiting->sides[side].evidence.lowest;
    bool lower = head != NULL && (acked == 0 || head->offset < acked);
    stream_sync(&flow->streams[side], lower ? head->offset : acked);
}

/* When its time has come: even a SYN-ACK may be captured late. */
static bool force_start(struct reassembly *reassembly, struct flow *flow, bool all)
{
    bool due = false;
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        const struct held *head = waiting_head(flow, side);
        due = due || (head != NULL && (all || is_overdue(reassembly, head)));
    }
    bool moved = false;
    for (unsigned side = 0; due && side < FLOW_SIDES; side++) {
        if (can_start(flow, side)) {
            start_stream(flow, side);
            moved = true;
        }
    }
    return moved;
}

bool loss_is_only_fin(const struct flow *flow, unsigned side, uint64_t acked)
{
    const struct stream *stream = &flow->streams[side];
    bool nothing_behind = flow->waiting == NULL || waiting_head(flow, side) == NULL;
    return nothing_behind && acked == stream->next + 1 && stream->end == STREAM_NO_END;
}

/* A hole that the receiver acknowledged, or before a FIN at the end of all, is the capture's. */
static bool force_acknowledged(struct reassembly *reassembly, struct flow *flow, unsigned side,
                               bool all)
{
    const struct stream *stream = &flow->streams[side];
    const struct held *head = waiting_head(flow, side);
    struct evidence *evidence = &flow->waiting->sides[side].evidence;
    uint64_t overdue =
        evidence_overdue(evidence, stream->next, &reassembly->patience, reassembly->now);
    uint64_t target = all ? waiting_sent(flow, side) : stream_clip(stream, overdue);
    if (!stream->synced || target <= stream->next ||
        (head != NULL && head->offset <= stream->next)) {
        return false;
    }
    if (loss_is_only_fin(flow, side, target)) {
        if (evidence->acked > target) {
            return false; /* more was acknowledged since: no FIN, but what it is can wait */
        }
        evidence_forget(evidence, stream->next);
        return true;
    }
    bool before_head = head == NULL || target < head->offset;
    delivery_gap(reassembly, flow, side, before_head ? target : head->offset);
    return true;
}

/* The head's sender had received what is missing of the other stream: a hole of the capture. */
static bool force_known(struct reassembly *reassembly, struct flow *flow, unsigned side)
{
    const struct held *head = waiting_head(flow, side);
    const struct held *other = waiting_head(flow, 1 - side);
    const struct stream *peer = &flow->streams[1 - side];
    if (delivery_is_known(peer, head->ack)) {
        return false;
    }
    uint64_t to = stream_clip(peer, head->ack);
    to = other != NULL && other->offset < to ? other->offset : to;
    if (to > peer->next && !loss_is_only_fin(flow, 1 - side, to)) {
        delivery_gap(reassembly, flow, 1 - side, to);
        return true;
    }
    if (head->offset <= flow->streams[side].next) { /* or each acknowledges the other */
        delivery_head(reassembly, flow, side);
        return true;
    }
    return false;
}

/* A held segment whose time has come: makes room for it in its own and in the other stream. */
static bool force_head(struct reassembly *reassembly, struct flow *flow, unsigned side, bool all)
{
    const struct stream *own = &flow->streams[side];
    const struct held *head = waiting_head(flow, side);
    if (head == NULL || !own->synced || !(all || is_overdue(reassembly, head))) {
        return false;
    }
    if (force_known(reassembly, flow, side)) {
        return true;
    }
    struct patience patience = patience_times(&reassembly->patience, LOSS_ONE_WAY_PATIENCE);
    bool one_way = !flow->streams[1 - side].seen &&
                   patience_is_over(&patience, head->arrival, reassembly->now);
    if (head->offset > own->next && (all || one_way)) {
        delivery_gap(reassembly, flow, side, head->offset);
        return true;
    }
    return false;
}

bool loss_declare_one(struct reassembly *reassembly, struct flow *flow, bool all)
{
    const struct held *heads[FLOW_SIDES] = {waiting_head(flow, 0), waiting_head(flow, 1)};
    bool first_is_older = heads[0] != NULL && (heads[1] == NULL || heads[0]->arrival.packet <=
                                                                       heads[1]->arrival.packet);
    unsigned older = first_is_older ? 0 : 1;
    return force_start(reassembly, flow, all) ||
           force_acknowledged(reassembly, flow, 1 - older, all) ||
           force_acknowledged(reassembly, flow, older, all) ||
           force_head(reassembly, flow, older, all) || force_head(reassembly, flow, 1 - older, all);
}

bool loss_ripens(const struct reassembly *reassembly, const struct flow *flow)
{
    for (unsigned side = 0; side < FLOW_SIDES; side++) {
        const struct held *head = waiting_head(flow, side);
        if ((head != NULL && !is_overdue(reassembly, head)) ||
            evidence_ripens(&flow->waiting->sides[side].evidence, flow->streams[side].next,
                            &reassembly->patience, reassembly->now)) {
            return true;
        }
    }
    return false;
}
