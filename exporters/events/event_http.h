#pragma once

#include "exporters/delivery/http_post.h"
#include "exporters/delivery/sender.h"

/* What a body is: Exchange messages, each behind its length as a varint. */
#define EVENT_HTTP_CONTENT_TYPE                                                                    \
    "application/vnd.google.protobuf; proto=vethscope.v1.Exchange; encoding=delimited"

/* A sender's callback whose context is a struct http_post. */
struct sender_reply event_http_deliver(void *post, const struct outbox_batch *batch);
