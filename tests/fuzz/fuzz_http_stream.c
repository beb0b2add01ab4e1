/*
 * One direction of a connection. The first byte chooses requests or responses and the size of the
 * pieces, the second which requests the responses answer and whether bytes get lost; the rest goes
 * through a stream whole and through a second one in pieces. Without losses both must report the
 * same; with losses the second must keep its promises.
 */
#include "http_parser/stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct http_stream stream;
    unsigned answers; /* two bits a response */
    uint64_t digest;  /* of the events */
    uint64_t bodies;  /* body bytes of ended messages */
    bool is_over;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void note(struct run *run, uint64_t value)
{
    run->digest = (run->digest ^ value) * UINT64_C(0x100000001b3);
}

static void answer(struct run *run)
{
    static const enum http_request_kind kinds[4] = {HTTP_REQUEST_ORDINARY, HTTP_REQUEST_HEAD,
                                                    HTTP_REQUEST_CONNECT, HTTP_REQUEST_ORDINARY};
    http_stream_answer(&run->stream, kinds[run->answers & 3]);
    run->answers >>= 2;
}

static void take_event(struct run *run, enum http_event event)
{
    if (event == HTTP_EVENT_NONE)
        return;
    note(run, (uint64_t)event);
    if (event == HTTP_EVENT_HEAD) {
        const struct http_head *head = &run->stream.head;
        note(run, head->length);
        note(run, head->flags);
        note(run, head->status);
        answer(run);
    } else if (event == HTTP_EVENT_END) {
        note(run, run->stream.body_bytes);
        note(run, run->stream.ambiguous);
        run->bodies += run->stream.body_bytes;
    } else if (event == HTTP_EVENT_INVALID) {
        run->is_over = true;
    }
}

/* Gives `length` bytes, which are a copy of exactly that size; returns how many were used. */
static size_t give(struct run *run, const uint8_t *data, size_t length)
{
    size_t used = 0;
    enum http_event event = HTTP_EVENT_NONE;
    unsigned idle = 0;
    do {
        size_t left = length - used;
        size_t consumed = SIZE_MAX;
        char *copy = malloc(left + (left == 0));
        require(copy != NULL);
        if (left > 0)
            memcpy(copy, data + used, left);
        event = http_stream_next(&run->stream, copy, left, &consumed);
        require(consumed <= left);
        take_event(run, event);
        free(copy);
        used += consumed;
        /* an event without a byte: the end of a message that needs none, and of what it was */
        idle = consumed == 0 ? idle + 1 : 0;
        require(idle <= 3);
    } while (event != HTTP_EVENT_NONE && !run->is_over);
    return used;
}

static void finish(struct run *run, bool is_unused)
{
    bool is_between = http_stream_is_between(&run->stream);
    enum http_event event = http_stream_finish(&run->stream);
    require(event != HTTP_EVENT_HEAD && event != HTTP_EVENT_TUNNEL);
    require(!is_between || event == HTTP_EVENT_NONE);
    note(run, is_unused);
    take_event(run, event);
}

static void begin(struct run *run, const uint8_t *options)
{
    memset(run, 0, sizeof(*run));
    run->answers = options[1] & 0x7fu;
    http_stream_init(&run->stream, (options[0] & 1) == 0 ? HTTP_REQUESTS : HTTP_RESPONSES);
}

static void run_in_pieces(struct run *run, const uint8_t *data, size_t size, size_t step)
{
    size_t used = 0;
    for (size_t given = 0; given < size && !run->is_over;) {
        given = size - given < step ? size : given + step;
        used += give(run, data + used, given - used);
    }
    finish(run, used < size);
}

/* Every third piece is lost. */
static void run_with_losses(struct run *run, const uint8_t *data, size_t size, size_t step)
{
    size_t used = 0;
    unsigned piece = 0;
    for (size_t given = 0; given < size;) {
        size_t length = size - given < step ? size - given : step;
        given += length;
        if (++piece % 3 != 0) {
            used += give(run, data + used, given - used);
        } else {
            uint64_t before = run->stream.body_bytes;
            used = given;
            if (http_stream_skip(&run->stream, length) == HTTP_SKIP_INSIDE)
                require(run->stream.body_bytes - before <= length);
            else
                http_stream_restart(&run->stream);
            run->is_over = false;
        }
        if (run->is_over) {
            http_stream_restart(&run->stream);
            run->is_over = false;
            used = given;
        }
    }
    finish(run, used < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum {
        OPTIONS = 2
    };
    if (size < OPTIONS)
        return 0;
    struct run whole;
    struct run pieces;
    size_t step = 1 + data[0] / 2u;
    begin(&whole, data);
    begin(&pieces, data);
    if ((data[1] & 0x80) != 0) {
        run_with_losses(&pieces, data + OPTIONS, size - OPTIONS, step);
        return 0;
    }
    run_in_pieces(&whole, data + OPTIONS, size - OPTIONS, size);
    run_in_pieces(&pieces, data + OPTIONS, size - OPTIONS, step);
    require(whole.digest == pieces.digest);
    require(whole.bodies <= size);
    return 0;
}
