#include "agent/capture/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/*
 * The buffer holds one run of content, [at, at + left). When a peek asks for more, the rest of the
 * run moves to the front and reading goes on behind it. A read asks for READ_SIZE, small enough to
 * stay in the processor's cache until it is parsed, and returns with what a pipe has, so a live
 * `tcpdump -w -` is not held back. Gzip is inflated straight into the buffer; a file may be several
 * gzip members in a row (RFC 1952 section 2.2), padded with zeros as tape blocks are.
 */

#define READ_SIZE ((size_t)64 << 10)
#define BUFFER_SIZE (BYTE_SOURCE_PEEK_MAX + READ_SIZE)
#define GZIP_INPUT_SIZE ((size_t)64 << 10)
#define GZIP_WINDOW_BITS (15 + 16) /* the largest window; gzip wrapping only */

struct gunzip {
    z_stream stream;
    bool inside; /* of a member: the end of the file would cut it */
    uint8_t input[GZIP_INPUT_SIZE];
};

static void fail(struct byte_source *source, const char *why)
{
    snprintf(source->fault, sizeof(source->fault), "%s", why);
    source->finished = true;
}

/* Bytes of the file as stored; 0 at its end or on an error, which is the source's fault then. */
static size_t read_stored(struct byte_source *source, uint8_t *into, size_t size)
{
    ssize_t got;
    do {
        got = read(source->descriptor, into, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        fail(source, strerrordesc_np(errno));
        return 0;
    }
    source->stored_position += (uint64_t)got;
    return (size_t)got;
}

static bool refill_input(struct byte_source *source)
{
    struct gunzip *gunzip = source->gunzip;
    if (gunzip->stream.avail_in == 0) {
        gunzip->stream.next_in = gunzip->input;
        gunzip->stream.avail_in = (uInt)read_stored(source, gunzip->input, GZIP_INPUT_SIZE);
    }
    return gunzip->stream.avail_in > 0;
}

/* Between two members: zeros are padding, anything else must be another member. */
static bool next_member(struct byte_source *source)
{
    z_stream *stream = &source->gunzip->stream;
    while (refill_input(source)) {
        if (*stream->next_in != 0) {
            source->gunzip->inside = true;
            return inflateReset(stream) == Z_OK;
        }
        stream->next_in++;
        stream->avail_in--;
    }
    source->finished = true;
    return false;
}

static size_t read_gunzipped(struct byte_source *source, uint8_t *into, size_t size)
{
    struct gunzip *gunzip = source->gunzip;
    z_stream *stream = &gunzip->stream;
    stream->next_out = into;
    stream->avail_out = (uInt)size;
    while (stream->avail_out == size && !source->finished) {
        if (!gunzip->inside && !next_member(source)) {
            break;
        }
        if (!refill_input(source)) {
            if (!source->finished) {
                fail(source, "the gzip data ends early");
            }
            break;
        }
        int status = inflate(stream, Z_NO_FLUSH);
        if (status == Z_STREAM_END) {
            gunzip->inside = false;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            fail(source, "the gzip data is damaged");
        }
    }
    return size - stream->avail_out;
}

static void read_more(struct byte_source *source)
{
    uint8_t *end = source->buffer + (source->at - source->buffer) + source->left;
    size_t got;
    if (source->gunzip != NULL) {
        got = read_gunzipped(source, end, READ_SIZE);
    } else {
        got = read_stored(source, end, READ_SIZE);
        if (got == 0) {
            source->finished = true;
        }
    }
    source->left += got;
}

const uint8_t *byte_source_fill(struct byte_source *source, size_t length)
{
    if (source->left > 0 && source->at != source->buffer) {
        memmove(source->buffer, source->at, source->left);
    }
    source->at = source->buffer;
    while (source->left < length) {
        if (source->finished) {
            return NULL;
        }
        read_more(source);
    }
    return source->at;
}

bool byte_source_discard(struct byte_source *source, uint64_t length)
{
    while (length > source->left) {
        length -= source->left;
        byte_source_skip(source, source->left);
        if (byte_source_fill(source, 1) == NULL) {
            return false;
        }
    }
    byte_source_skip(source, (size_t)length);
    return true;
}

static int open_descriptor(struct byte_source *source, const char *path)
{
    source->owns_descriptor = strcmp(path, "-") != 0;
    source->descriptor = source->owns_descriptor ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    struct stat status;
    if (source->descriptor < 0 || fstat(source->descriptor, &status) < 0) {
        return -errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return -EISDIR;
    }
    if (S_ISREG(status.st_mode)) {
        source->stored_size = (uint64_t)status.st_size;
        (void)posix_fadvise(source->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return 0;
}

/* What was read so far begins with gzip's magic: it becomes the input of the inflater. */
static int switch_to_gunzip(struct byte_source *source)
{
    struct gunzip *gunzip = calloc(1, sizeof(*gunzip));
    if (gunzip == NULL || inflateInit2(&gunzip->stream, GZIP_WINDOW_BITS) != Z_OK) {
        free(gunzip);
        return -ENOMEM;
    }
    memcpy(gunzip->input, source->at, source->left);
    gunzip->stream.next_in = gunzip->input;
    gunzip->stream.avail_in = (uInt)source->left;
    gunzip->inside = true;
    source->gunzip = gunzip;
    source->left = 0;
    source->finished = false;
    return 0;
}

int byte_source_open(struct byte_source *source, const char *path)
{
    *source = (struct byte_source){.descriptor = -1};
    int status = open_descriptor(source, path);
    if (status < 0) {
        goto fail;
    }
    source->buffer = calloc(1, BUFFER_SIZE);
    if (source->buffer == NULL) {
        status = -ENOMEM;
        goto fail;
    }
    source->at = source->buffer;
    while (source->left < 2 && !source->finished) {
        size_t got = read_stored(source, source->buffer + source->left, GZIP_INPUT_SIZE / 2);
        source->left += got;
        source->finished = got == 0;
    }
    if (source->left >= 2 && source->at[0] == 0x1f && source->at[1] == 0x8b) {
        status = switch_to_gunzip(source);
    }
fail:
    if (status < 0) {
        byte_source_close(source);
    }
    return status;
}

void byte_source_close(struct byte_source *source)
{
    if (source->gunzip != NULL) {
        inflateEnd(&source->gunzip->stream);
        free(source->gunzip);
    }
    free(source->buffer);
    if (source->owns_descriptor && source->descriptor >= 0) {
        close(source->descriptor);
    }
    *source = (struct byte_source){.descriptor = -1};
}
