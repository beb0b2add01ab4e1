#include "agent/tcp/stream.h"

static uint64_t middle_of(const struct stream *stream)
{
    return stream->synced ? stream->next : STREAM_ORIGIN;
}

void stream_learn_origin(struct stream *stream, uint32_t sequence)
{
    if (!stream->known) {
        stream->known = true;
        stream->origin = sequence;
    }
}

uint64_t stream_offset(const struct stream *stream, uint32_t sequence)
{
    uint64_t middle = middle_of(stream);
    uint32_t middle_sequence = stream->origin + (uint32_t)(middle - STREAM_ORIGIN);
    return middle + (uint64_t)(int64_t)(int32_t)(sequence - middle_sequence);
}

uint64_t stream_offset_of(const struct stream *stream, const struct segment *segment)
{
    uint32_t syn = (segment->flags & TCP_SYN) != 0 ? 1 : 0;
    return stream_offset(stream, segment->sequence + syn);
}

bool stream_is_near(const struct stream *stream, uint64_t offset)
{
    uint64_t middle = middle_of(stream);
    return offset < middle + STREAM_NEAR && offset + STREAM_NEAR > middle;
}

void stream_sync(struct stream *stream, uint64_t start)
{
    if (!stream->synced) {
        stream->synced = true;
        stream->start = stream_clip(stream, start);
        stream->next = stream->start;
    }
}
