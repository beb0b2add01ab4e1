#pragma once

#include "http_parser/stream.h"

/* One direction of a connection and what a stream is to make of it (see trace.h). */
struct stream_fixture {
    const char *name;
    enum http_kind kind;
    const char *answers;
    const char *bytes;
    size_t length;
    const char *expected;
};

extern const struct stream_fixture stream_fixtures[];
extern const size_t stream_fixture_count;
