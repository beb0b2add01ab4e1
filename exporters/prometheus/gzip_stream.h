#pragma once

#include "exporters/byte_writer.h"

#include <stddef.h>

/* Compresses into the gzip format (RFC 1952) as the bytes come. */
struct gzip_stream;

/* Writes to `out`, which stays the caller's. NULL: out of memory. */
struct gzip_stream *gzip_stream_new(struct byte_writer *out);
void gzip_stream_free(struct gzip_stream *stream);

/* What finds no memory is remembered by the output. */
void gzip_stream_append(struct gzip_stream *stream, const void *data, size_t length);

/* The last call: writes what is left and the trailer. */
void gzip_stream_finish(struct gzip_stream *stream);
