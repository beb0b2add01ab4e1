#include "tests/support/http_same.h"

static bool is_same(struct http_slice a, struct http_slice b)
{
    return a.data == b.data && a.length == b.length;
}

bool http_same(const struct http_head *a, const struct http_head *b)
{
    for (size_t i = 0; i < HTTP_FIELD_COUNT; i++) {
        if (!is_same(a->field[i], b->field[i]))
            return false;
    }
    return is_same(a->method, b->method) && is_same(a->target, b->target) &&
           is_same(a->reason, b->reason) && a->content_length == b->content_length &&
           a->length == b->length && a->flags == b->flags && a->status == b->status &&
           a->minor_version == b->minor_version;
}
