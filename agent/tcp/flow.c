#include "agent/tcp/flow.h"

#include <string.h>

void stream_sync(struct stream *stream, uint64_t start)
{
    if (!stream->synced) {
        stream->synced = true;
        stream->start = start;
        stream->next = start;
    }
}

struct endpoint flow_endpoint(const struct flow *flow, unsigned side)
{
    struct endpoint endpoint = {.port = flow->key.port[side]};
    memcpy(endpoint.address.bytes, flow->key.address[side], sizeof(endpoint.address.bytes));
    return endpoint;
}
