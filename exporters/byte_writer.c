#include "exporters/byte_writer.h"

#include "exporters/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The first allocation: one exchange event, or a small scrape, fits without growing. */
#define FIRST_CAPACITY 4096
/* Doubles hold every whole number up to this one. */
#define LARGEST_WHOLE 9007199254740992.0
/* Nanoseconds in a second, and their decimal places. */
#define NANO 1e9
#define FRACTION_DIGITS 9
/* The smallest number that printf's %g writes without an exponent. */
#define FIRST_PLAIN 1e-4
/* So many digits are always kept by a double. */
#define DIGITS_15 1e15
/* Decimal digits of UINT64_MAX. */
#define UNSIGNED_DIGITS 20
/* Bytes of the longest varint: 64 bits, 7 in each. */
#define VARINT_SIZE 10

void byte_writer_init(struct byte_writer *writer)
{
    *writer = (struct byte_writer){0};
}

void byte_writer_fini(struct byte_writer *writer)
{
    free(writer->data);
    *writer = (struct byte_writer){0};
}

void byte_writer_reset(struct byte_writer *writer)
{
    writer->length = 0;
    writer->failed = false;
}

static bool grow(struct byte_writer *writer, size_t length)
{
    size_t capacity = writer->capacity == 0 ? FIRST_CAPACITY : writer->capacity;
    while (capacity - writer->length < length) {
        if (capacity > SIZE_MAX / 2) {
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(writer->data, capacity);
    if (data == NULL) {
        return false;
    }
    writer->data = data;
    writer->capacity = capacity;
    return true;
}

char *byte_writer_reserve(struct byte_writer *writer, size_t length)
{
    if (writer->failed) {
        return NULL;
    }
    if (writer->capacity - writer->length < length && !grow(writer, length)) {
        writer->failed = true;
        return NULL;
    }
    return writer->data == NULL ? NULL : writer->data + writer->length;
}

void byte_writer_advance(struct byte_writer *writer, size_t length)
{
    writer->length += length;
}

void byte_writer_append(struct byte_writer *writer, const void *data, size_t length)
{
    if (length == 0) {
        return;
    }
    char *room = byte_writer_reserve(writer, length);
    if (room != NULL) {
        memcpy(room, data, length);
        writer->length += length;
    }
}

void byte_writer_text(struct byte_writer *writer, struct text text)
{
    byte_writer_append(writer, text.data, text.length);
}

void byte_writer_string(struct byte_writer *writer, const char *string)
{
    byte_writer_append(writer, string, strlen(string));
}

void byte_writer_byte(struct byte_writer *writer, char byte)
{
    byte_writer_append(writer, &byte, 1);
}

void byte_writer_unsigned(struct byte_writer *writer, uint64_t value)
{
    char digits[UNSIGNED_DIGITS];
    size_t start = sizeof(digits);
    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    byte_writer_append(writer, digits + start, sizeof(digits) - start);
}

static void append_whole(struct byte_writer *writer, double value)
{
    if (signbit(value)) {
        byte_writer_byte(writer, '-');
    }
    byte_writer_unsigned(writer, (uint64_t)fabs(value));
}

/* Most numbers here count nanoseconds: decimals of nine places are written without printf and come
 * out as it would write them. False: it is none, or one that printf writes with an exponent. */
static bool append_nanoseconds(struct byte_writer *writer, double value)
{
    char digits[FRACTION_DIGITS];
    double whole = nearbyint(fabs(value) * NANO);
    if (whole < FIRST_PLAIN * NANO || whole >= DIGITS_15 || whole / NANO != fabs(value)) {
        return false;
    }
    uint64_t count = (uint64_t)whole;
    uint64_t fraction = count % (uint64_t)NANO;
    size_t length = 0;
    for (size_t i = FRACTION_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + fraction % 10);
        length = length == 0 && digits[i - 1] != '0' ? i : length;
        fraction /= 10;
    }
    if (signbit(value)) {
        byte_writer_byte(writer, '-');
    }
    byte_writer_unsigned(writer, count / (uint64_t)NANO);
    byte_writer_byte(writer, '.');
    byte_writer_append(writer, digits, length);
    return true;
}

static void append_shortest(struct byte_writer *writer, double value)
{
    char text[BYTE_WRITER_NUMBER_SIZE];
    int length = 0;
    /* 15 digits are always kept by a double, 17 always tell it apart. */
    for (int precision = 15; precision <= 17; precision++) {
        length = snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    byte_writer_append(writer, text, (size_t)length);
}

void byte_writer_number(struct byte_writer *writer, double value)
{
    if (isnan(value)) {
        byte_writer_string(writer, "NaN");
    } else if (isinf(value)) {
        byte_writer_string(writer, value > 0 ? "+Inf" : "-Inf");
    } else if (fabs(value) <= LARGEST_WHOLE && value == trunc(value)) {
        append_whole(writer, value);
    } else if (!append_nanoseconds(writer, value)) {
        append_shortest(writer, value);
    }
}

void byte_writer_varint(struct byte_writer *writer, uint64_t value)
{
    char bytes[VARINT_SIZE];
    size_t length = 0;
    while (value > 0x7f) {
        bytes[length++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (char)value;
    byte_writer_append(writer, bytes, length);
}

void byte_writer_utf8(struct byte_writer *writer, struct text text)
{
    for (size_t i = 0; i < text.length;) {
        size_t run = utf8_plain_run(text.data + i, text.length - i);
        byte_writer_append(writer, text.data + i, run);
        i += run;
        if (i < text.length) {
            byte_writer_string(writer, UTF8_REPLACEMENT);
            i++;
        }
    }
}
