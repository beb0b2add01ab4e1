#pragma once

#include "agent/tcp/tcp.h"
#include "http_parser/stream.h"

/* Where the beginning of a message was missed or lost: whether a segment's payload starts another,
 * HTTP_SNIFF_REQUEST, _RESPONSE or _OTHER. Stricter than the parser, as any bytes may come here. A
 * request line that ends in a later segment counts when it starts like one that every server knows.
 */
enum http_sniff recognise_start(const struct stream_data *data);
