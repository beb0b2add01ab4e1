#include "http_parser/chunked.h"

#include "http_parser/chars.h"

/*
 * Sizes, extensions and trailers go byte by byte through a few states, so a cut may fall anywhere;
 * data and trailer lines, where the bytes are, are passed over in one step. Where a size cannot be
 * read, or data does not end where its size says, there is no telling what follows: invalid. What
 * lenient readers accept and strict ones refuse (a bare LF in the framing, a bare CR in an
 * extension, text behind a size without a semicolon) is read the lenient way and is ambiguous. The
 * lines of the trailer section are field lines, which may end with a bare LF.
 */
enum chunk_state {
    SIZE_START,
    SIZE,
    SIZE_PADDING,
    SIZE_CR,
    EXTENSION,
    EXTENSION_CR,
    DATA,
    DATA_END,
    DATA_CR,
    TRAILER_START,
    TRAILER_LINE,
    TRAILER_CR,
};

void http_chunked_begin(struct http_stream *stream)
{
    stream->chunk_state = SIZE_START;
    stream->remaining = 0;
}

static int hex_digit(char byte)
{
    char lower = (char)(byte | 0x20);
    if (http_chars_is_digit(byte))
        return byte - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static enum http_chunked_result become(struct http_stream *stream, enum chunk_state state)
{
    stream->chunk_state = (uint8_t)state;
    return HTTP_CHUNKED_MORE;
}

static enum http_chunked_result end_size_line(struct http_stream *stream)
{
    return become(stream, stream->remaining == 0 ? TRAILER_START : DATA);
}

static enum http_chunked_result end_with_bare_lf(struct http_stream *stream)
{
    stream->ambiguous = true;
    return end_size_line(stream);
}

static enum http_chunked_result after_size(struct http_stream *stream, char byte)
{
    if (byte == '\r')
        return become(stream, SIZE_CR);
    if (byte == '\n')
        return end_with_bare_lf(stream);
    if (byte == ';')
        return become(stream, EXTENSION);
    if (http_chars_is_space(byte))
        return become(stream, SIZE_PADDING);
    if (stream->chunk_state != SIZE_PADDING)
        return HTTP_CHUNKED_INVALID;
    stream->ambiguous = true;
    return become(stream, EXTENSION);
}

static enum http_chunked_result in_size(struct http_stream *stream, char byte)
{
    enum {
        DIGIT_BITS = 4,
        SIZE_BITS = 64
    };
    int digit = hex_digit(byte);
    if (digit < 0)
        return stream->chunk_state == SIZE ? after_size(stream, byte) : HTTP_CHUNKED_INVALID;
    if (stream->remaining >> (SIZE_BITS - DIGIT_BITS) != 0)
        return HTTP_CHUNKED_INVALID;
    stream->remaining = stream->remaining << DIGIT_BITS | (uint64_t)digit;
    return become(stream, SIZE);
}

static enum http_chunked_result in_extension(struct http_stream *stream, char byte)
{
    if (byte == '\n') {
        if (stream->chunk_state == EXTENSION_CR)
            return end_size_line(stream);
        return end_with_bare_lf(stream);
    }
    if (stream->chunk_state == EXTENSION_CR)
        stream->ambiguous = true;
    return become(stream, byte == '\r' ? EXTENSION_CR : EXTENSION);
}

static enum http_chunked_result after_data(struct http_stream *stream, char byte)
{
    if (byte == '\r' && stream->chunk_state == DATA_END)
        return become(stream, DATA_CR);
    if (byte != '\n')
        return HTTP_CHUNKED_INVALID;
    if (stream->chunk_state == DATA_END)
        stream->ambiguous = true;
    return become(stream, SIZE_START);
}

static enum http_chunked_result in_trailer(struct http_stream *stream, char byte)
{
    if (byte == '\n')
        return stream->chunk_state == TRAILER_LINE ? become(stream, TRAILER_START)
                                                   : HTTP_CHUNKED_END;
    if (stream->chunk_state == TRAILER_CR)
        stream->ambiguous = true;
    if (stream->chunk_state == TRAILER_START && byte == '\r')
        return become(stream, TRAILER_CR);
    return become(stream, TRAILER_LINE);
}

static enum http_chunked_result take_byte(struct http_stream *stream, char byte)
{
    switch ((enum chunk_state)stream->chunk_state) {
    case SIZE_START:
    case SIZE:
        return in_size(stream, byte);
    case SIZE_PADDING:
        return after_size(stream, byte);
    case SIZE_CR:
        return byte == '\n' ? end_size_line(stream) : HTTP_CHUNKED_INVALID;
    case EXTENSION:
    case EXTENSION_CR:
        return in_extension(stream, byte);
    case DATA_END:
    case DATA_CR:
        return after_data(stream, byte);
    case DATA:
    case TRAILER_START:
    case TRAILER_LINE:
    case TRAILER_CR:
        break;
    }
    return in_trailer(stream, byte);
}

/* How many of the bytes are of a run that needs no look at each: data, or the text of a line. */
static size_t pass_run(struct http_stream *stream, const char *bytes, size_t length)
{
    if (stream->chunk_state == TRAILER_LINE) {
        const char *lf = memchr(bytes, '\n', length);
        return lf == NULL ? length : (size_t)(lf - bytes);
    }
    if (stream->chunk_state != DATA)
        return 0;
    size_t run = stream->remaining < length ? (size_t)stream->remaining : length;
    (void)http_chunked_skip(stream, run);
    return run;
}

enum http_chunked_result http_chunked_next(struct http_stream *stream, const char *bytes,
                                           size_t length, size_t *consumed_out)
{
    enum http_chunked_result result = HTTP_CHUNKED_MORE;
    size_t at = 0;
    while (at < length && result == HTTP_CHUNKED_MORE) {
        size_t run = pass_run(stream, bytes + at, length - at);
        at += run;
        if (run == 0)
            result = take_byte(stream, bytes[at++]);
    }
    *consumed_out = at;
    return result;
}

bool http_chunked_skip(struct http_stream *stream, uint64_t length)
{
    if (stream->chunk_state != DATA || length > stream->remaining)
        return false;
    stream->remaining -= length;
    stream->body_bytes += length;
    if (stream->remaining == 0)
        stream->chunk_state = DATA_END;
    return true;
}

uint64_t http_chunked_unread(const struct http_stream *stream)
{
    return stream->chunk_state == DATA ? stream->remaining : 0;
}
