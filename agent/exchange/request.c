#include "agent/exchange/request.h"

#include <string.h>

/* One request in so many may have a text that does not fit into its record. */
#define LONG_TEXT_RATIO 16
/* Texts beside the target, method and all: bounded so the target cannot push them out. */
#define SIDE_TEXT_MAX 256

int request_store_init(struct request_store *store, uint64_t bytes, size_t max_text_bytes)
{
    uint64_t unit = sizeof(struct request) + max_text_bytes / LONG_TEXT_RATIO;
    uint64_t count = bytes / unit < 64 ? 64 : bytes / unit;
    *store = (struct request_store){0};
    int status = slab_init(&store->requests, sizeof(struct request), (uint32_t)count);
    if (status == 0) {
        status = slab_init(&store->long_texts, max_text_bytes, (uint32_t)count / LONG_TEXT_RATIO);
    }
    if (status != 0) {
        request_store_fini(store);
    }
    return status;
}

void request_store_fini(struct request_store *store)
{
    slab_fini(&store->requests);
    slab_fini(&store->long_texts);
}

/* Moves a text into the buffer, cut at `limit`, and points its slice there. */
static void keep(struct slice *text, char **at, size_t *room, size_t limit)
{
    if (text->data == NULL) {
        return;
    }
    size_t length = text->length < limit ? text->length : limit;
    length = length < *room ? length : *room;
    memcpy(*at, text->data, length);
    *text = (struct slice){*at, length};
    *at += length;
    *room -= length;
}

struct request *request_take(struct request_store *store, const struct exchange *exchange)
{
    struct request *request = slab_take(&store->requests);
    if (request == NULL) {
        return NULL;
    }
    memset(request, 0, offsetof(struct request, text));
    request->exchange = *exchange;
    size_t wanted = exchange->method.length + exchange->target.length + exchange->host.length +
                    exchange->user_agent.length + exchange->trace_id.length;
    char *at = request->text;
    size_t room = sizeof(request->text);
    if (wanted > room) {
        request->long_text = slab_take(&store->long_texts);
        at = request->long_text != NULL ? request->long_text : at;
        room = request->long_text != NULL ? store->long_texts.object_size : room;
    }
    struct exchange *own = &request->exchange;
    keep(&own->trace_id, &at, &room, SIDE_TEXT_MAX);
    keep(&own->method, &at, &room, SIDE_TEXT_MAX);
    keep(&own->host, &at, &room, SIDE_TEXT_MAX);
    size_t agent = own->user_agent.length < SIDE_TEXT_MAX ? own->user_agent.length : SIDE_TEXT_MAX;
    size_t rest = room > agent ? room - agent : 0;
    keep(&own->target, &at, &room, rest > room / 2 ? rest : room / 2);
    keep(&own->user_agent, &at, &room, SIDE_TEXT_MAX);
    return request;
}

void request_give(struct request_store *store, struct request *request)
{
    slab_give(&store->long_texts, request->long_text);
    slab_give(&store->requests, request);
}
