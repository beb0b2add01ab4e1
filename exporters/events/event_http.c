#include "exporters/events/event_http.h"

struct sender_reply event_http_deliver(void *post, const struct outbox_batch *batch)
{
    static const enum sender_verdict verdicts[] = {[HTTP_POST_ACCEPTED] = SENDER_DELIVERED,
                                                   [HTTP_POST_RETRY] = SENDER_RETRY,
                                                   [HTTP_POST_REFUSED] = SENDER_REJECTED};
    const struct http_post_reply *reply = NULL;
    struct text body = {batch->bytes.data, batch->bytes.length};
    enum http_post_result result = http_post_send(post, body, &reply);
    return (struct sender_reply){.verdict = verdicts[result],
                                 .retry_after_ms = reply->retry_after_ms,
                                 .error = reply->error};
}
