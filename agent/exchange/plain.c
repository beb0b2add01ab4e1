#include "agent/exchange/plain.h"

#include "agent/exchange/roles.h"

/*
 * The parser looks at no byte of a body of known length, of one that lasts until the connection's
 * end, or of the rest of a chunk; nobody looks at what a flow that is not read sends. Whether such
 * bytes are there or only their number is the same to everybody behind, so these may be told at
 * once, for exactly the sequence numbers that they have: PLAIN_RANGE and PLAIN_ALL change no
 * result.
 *
 * A body of a megabyte is over before the kernel could be told, so for these the capture goes by
 * habit, one side of one connection at a time: after so many large bodies in a row, all of known
 * length, none chunked, from a client that never asked before it had its answers, the next message
 * will begin with a segment, too, and its head be in that; what is not the first segment of a
 * message is body. Where a habit is broken bytes are missing that matter. That is a gap like any
 * other, counted and never guessed over, and the habit is not trusted again on that connection.
 */

/* So much of a body has to be left that telling is worth it. */
#define RANGE_MIN (UINT64_C(128) << 10)
/* A quarter of the sequence space, so that no offset in it is taken for one before it. */
#define RANGE_MAX (UINT64_C(1) << 30)
/* Of a flow that nobody reads so much at once is a portion that TCP reports on the way; less is the
 * rest of one that ends, and there is nothing to tell any more. */
#define UNREAD_MIN (UINT64_C(1) << 20)
/* Large bodies that make a habit. */
#define BODIES_NEEDED 8
/* Where the ring overflowed whole packets are not to be had; the sooner less is copied, the less is
 * lost. */
#define BODIES_NEEDED_STARVED 1

/* How many bytes from the next on belong to a body of known length or to nobody. */
static uint64_t unread_bytes(const struct speaker *speaker)
{
    bool head_is_whole = !speaker->lost && speaker->partial == NULL;
    return head_is_whole ? http_stream_unread(&speaker->parser) : 0;
}

static bool keeps_order(const struct conversation *conversation)
{
    const struct evidence *evidence = &conversation->evidence;
    return !evidence->bursts && !evidence->overlaps;
}

/* Counts the large bodies in a row, each once, by where it ends. What the kernel dropped tells
 * nothing, or a ring that overflows for large bodies would do so for ever. */
static void learn(struct speaker *speaker, uint64_t left, bool broke)
{
    bool head_split = speaker->partial != NULL;
    bool chunked = !speaker->lost && (speaker->parser.head.flags & HTTP_HEAD_CHUNKED) != 0;
    if (chunked || head_split || broke) {
        speaker->plain.bodies = 0;
        speaker->plain.wild = speaker->plain.wild || speaker->plain.told == PLAIN_HABIT;
    } else if (left > 0 && speaker->next_offset + left != speaker->plain.end) {
        speaker->plain.end = speaker->next_offset + left;
        if (speaker->plain.bodies < BODIES_NEEDED) {
            speaker->plain.bodies++;
        }
    }
}

static enum plain_kind judge(const struct conversation *conversation, const struct speaker *speaker,
                             uint64_t left)
{
    if (left == UINT64_MAX) {
        return PLAIN_ALL;
    }
    unsigned needed = speaker->plain.starved ? BODIES_NEEDED_STARVED : BODIES_NEEDED;
    if (speaker->plain.bodies >= needed && !speaker->plain.wild && keeps_order(conversation)) {
        return PLAIN_HABIT;
    }
    return left >= RANGE_MIN ? PLAIN_RANGE : PLAIN_NONE;
}

static void tell(struct pairing *pairing, struct flow *flow, unsigned side, enum plain_kind kind,
                 uint64_t left)
{
    struct conversation *conversation = conversation_of(flow);
    struct speaker *speaker = &conversation->speakers[role_of(conversation, side)];
    const struct plain_bytes plain = {
        .source = flow_endpoint(flow, side),
        .destination = flow_endpoint(flow, 1 - side),
        .interface = flow->key.interface,
        .sequence = stream_next_sequence(&flow->streams[side]),
        .length = (uint32_t)(left < RANGE_MAX ? left : RANGE_MAX),
        .kind = kind,
    };
    speaker->plain.told = kind;
    speaker->plain.told_end = speaker->next_offset + plain.length;
    conversation->plain_told = conversation->plain_told || kind != PLAIN_NONE;
    pairing->plain(pairing->plain_context, &plain);
}

void plain_heard(struct pairing *pairing, struct flow *flow, unsigned side, bool broke)
{
    struct conversation *conversation = conversation_of(flow);
    struct speaker *speaker = &conversation->speakers[role_of(conversation, side)];
    if (pairing->plain == NULL || conversation->protocol != CONVERSATION_HTTP1) {
        return;
    }
    uint64_t left = unread_bytes(speaker);
    learn(speaker, left, broke);
    enum plain_kind kind = judge(conversation, speaker, left);
    bool passed = kind == PLAIN_RANGE && speaker->next_offset >= speaker->plain.told_end;
    if (kind == PLAIN_NONE && speaker->plain.told == PLAIN_RANGE &&
        speaker->next_offset < speaker->plain.told_end) {
        return; /* its last bytes */
    }
    if (kind != speaker->plain.told || passed) {
        tell(pairing, flow, side, kind, left);
    }
}

void plain_unread(struct pairing *pairing, struct flow *flow, uint64_t bytes)
{
    struct conversation *conversation = conversation_of(flow);
    bool worth = pairing->plain != NULL && bytes >= UNREAD_MIN;
    for (unsigned side = 0; side < FLOW_SIDES && worth; side++) {
        if (conversation->speakers[role_of(conversation, side)].plain.told != PLAIN_ALL) {
            tell(pairing, flow, side, PLAIN_ALL, 0);
        }
    }
}

void plain_closed(struct pairing *pairing, struct flow *flow)
{
    struct conversation *conversation = conversation_of(flow);
    for (unsigned side = 0; side < FLOW_SIDES && conversation->plain_told; side++) {
        if (conversation->speakers[role_of(conversation, side)].plain.told != PLAIN_NONE) {
            tell(pairing, flow, side, PLAIN_NONE, 0);
        }
    }
}
