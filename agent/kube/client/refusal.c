#include "agent/kube/client/refusal.h"

#include "agent/kube/wire/wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void refusal_add(struct refusal *refusal, struct slice bytes)
{
    size_t room = REFUSAL_KEPT - refusal->length;
    size_t taken = bytes.length < room ? bytes.length : room;
    memcpy(refusal->bytes + refusal->length, bytes.data, taken);
    refusal->length += taken;
}

/* Up to the first line's end; what is not printable becomes a point. */
static void clean(char *text, size_t size, struct slice from)
{
    size_t length = 0;
    for (; length < from.length && length + 1 < size; length++) {
        char letter = from.data[length];
        if (letter == '\n' || letter == '\r') {
            break;
        }
        text[length] = letter >= ' ' && letter <= '~' ? letter : '.';
    }
    text[length] = '\0';
}

void refusal_clean(char *text, size_t size, const char *from)
{
    clean(text, size, slice_of(from));
}

static bool read_status(const struct refusal *refusal, struct wire_status *status_out)
{
    struct wire_envelope envelope;
    return wire_envelope_read((struct slice){refusal->bytes, refusal->length}, &envelope) &&
           slice_equal(envelope.kind, slice_of("Status")) &&
           wire_status_read(envelope.raw, status_out);
}

void refusal_line(char *text, size_t size, unsigned status, struct slice message)
{
    int length = snprintf(text, size, message.length > 0 ? "%u: " : "%u", status);
    if (length > 0 && (size_t)length < size) {
        clean(text + length, size - (size_t)length, message);
    }
}

void refusal_describe(const struct refusal *refusal, unsigned status, char *text, size_t size)
{
    struct wire_status said;
    bool is_status = read_status(refusal, &said);
    refusal_line(text, size, status,
                 is_status ? said.message : (struct slice){refusal->bytes, refusal->length});
}

unsigned refusal_retry_after(const struct refusal *refusal)
{
    struct wire_status said;
    return read_status(refusal, &said) ? said.retry_after_s : 0;
}
