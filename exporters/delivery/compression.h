#pragma once

#include "exporters/byte_writer.h"

/* Whole compressed documents: each call makes one that can be read alone, and behind others. */
enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP, /* RFC 1952 */
    COMPRESSION_ZSTD, /* RFC 8878 */
};

/* Keeps the compressor's memory between calls. Zeroed: nothing yet. */
struct compressor {
    enum compression method;
    void *state;
};

void compressor_fini(struct compressor *compressor);

/* Appends the compressed bytes; with COMPRESSION_NONE, the bytes. Returns 0 or -ENOMEM, then `out`
 * has failed. */
int compressor_append(struct compressor *compressor, struct text bytes, struct byte_writer *out);

/* The content coding's name, "gzip" or "zstd"; NULL for none. */
const char *compression_name(enum compression method);
