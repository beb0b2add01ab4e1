#include "exporters/prometheus/gzip_stream.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Expositions repeat themselves so much that the fastest level leaves a twentieth. */
#define LEVEL 1
/* 32 KiB of window, and zlib's mark for a gzip header. */
#define WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8
/* Compressed bytes are taken in such pieces. */
#define PIECE 16384

struct gzip_stream {
    z_stream zlib;
    struct byte_writer *out;
};

struct gzip_stream *gzip_stream_new(struct byte_writer *out)
{
    struct gzip_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->out = out;
    if (deflateInit2(&stream->zlib, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

void gzip_stream_free(struct gzip_stream *stream)
{
    if (stream != NULL) {
        deflateEnd(&stream->zlib);
        free(stream);
    }
}

/* Until the input is used up and, with Z_FINISH, everything is written. */
static void run(struct gzip_stream *stream, int flush)
{
    do {
        char *room = byte_writer_reserve(stream->out, PIECE);
        if (room == NULL) {
            return;
        }
        stream->zlib.next_out = (Bytef *)room;
        stream->zlib.avail_out = PIECE;
        deflate(&stream->zlib, flush);
        byte_writer_advance(stream->out, PIECE - stream->zlib.avail_out);
    } while (stream->zlib.avail_out == 0);
}

void gzip_stream_append(struct gzip_stream *stream, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        size_t part = length < UINT_MAX ? length : UINT_MAX;
        memcpy(&stream->zlib.next_in, &at, sizeof(at)); /* zlib does not write there */
        stream->zlib.avail_in = (uInt)part;
        run(stream, Z_NO_FLUSH);
        at += part;
        length -= part;
    }
}

void gzip_stream_finish(struct gzip_stream *stream)
{
    stream->zlib.avail_in = 0;
    run(stream, Z_FINISH);
}
