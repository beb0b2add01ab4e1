#include "exporters/delivery/compression.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* Events repeat themselves: the fast levels already take nine tenths off. */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 1
/* zlib's largest window, with a gzip header instead of its own. */
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_MEMORY_LEVEL 8

const char *compression_name(enum compression method)
{
    static const char *const names[] = {
        [COMPRESSION_NONE] = NULL, [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZSTD] = "zstd"};
    return names[method];
}

void compressor_fini(struct compressor *compressor)
{
    if (compressor->method == COMPRESSION_ZSTD) {
        ZSTD_freeCCtx(compressor->state);
    } else if (compressor->state != NULL) {
        deflateEnd(compressor->state);
        free(compressor->state);
    }
    compressor->state = NULL;
}

static z_stream *new_deflate(void)
{
    z_stream *stream = calloc(1, sizeof(*stream));
    if (stream != NULL && deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS,
                                       GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static int append_gzip(struct compressor *compressor, struct text bytes, struct byte_writer *out)
{
    if (compressor->state == NULL) {
        compressor->state = new_deflate();
    }
    z_stream *stream = compressor->state;
    if (stream == NULL || deflateReset(stream) != Z_OK) {
        return -ENOMEM;
    }
    size_t bound = deflateBound(stream, bytes.length);
    char *room = byte_writer_reserve(out, bound);
    if (room == NULL) {
        return -ENOMEM;
    }
    union {
        const char *from;
        Bytef *to;
    } input = {bytes.data}; /* zlib does not write there */
    stream->next_in = input.to;
    stream->avail_in = (uInt)bytes.length;
    stream->next_out = (Bytef *)room;
    stream->avail_out = (uInt)bound;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) {
        return -ENOMEM;
    }
    byte_writer_advance(out, bound - stream->avail_out);
    return 0;
}

static int append_zstd(struct compressor *compressor, struct text bytes, struct byte_writer *out)
{
    if (compressor->state == NULL) {
        compressor->state = ZSTD_createCCtx();
    }
    size_t bound = ZSTD_compressBound(bytes.length);
    char *room = compressor->state == NULL ? NULL : byte_writer_reserve(out, bound);
    if (room == NULL) {
        return -ENOMEM;
    }
    ZSTD_CCtx_setParameter(compressor->state, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(compressor->state, ZSTD_c_checksumFlag, 1);
    size_t length = ZSTD_compress2(compressor->state, room, bound, bytes.data, bytes.length);
    if (ZSTD_isError(length) != 0) {
        return -ENOMEM;
    }
    byte_writer_advance(out, length);
    return 0;
}

int compressor_append(struct compressor *compressor, struct text bytes, struct byte_writer *out)
{
    int status = 0;
    switch (compressor->method) {
    case COMPRESSION_NONE:
        byte_writer_text(out, bytes);
        status = out->failed ? -ENOMEM : 0;
        break;
    case COMPRESSION_GZIP:
        status = append_gzip(compressor, bytes, out);
        break;
    case COMPRESSION_ZSTD:
        status = append_zstd(compressor, bytes, out);
        break;
    }
    out->failed = out->failed || status != 0;
    return status;
}
