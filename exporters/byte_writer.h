#pragma once

#include "exporters/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing run of bytes that every wire format is written into. Out of memory is remembered, not
 * reported by each call: later writes do nothing and the caller asks once, at the end.
 */
struct byte_writer {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

/* Longest text that byte_writer_number writes. */
#define BYTE_WRITER_NUMBER_SIZE 32

void byte_writer_init(struct byte_writer *writer);
void byte_writer_fini(struct byte_writer *writer);

/* Forgets the bytes and a failure; the memory is kept for the next use. */
void byte_writer_reset(struct byte_writer *writer);

/* Room for `length` more bytes behind the written ones, or NULL (the writer failed). Bytes put
 * there count once byte_writer_advance was told. */
char *byte_writer_reserve(struct byte_writer *writer, size_t length);
void byte_writer_advance(struct byte_writer *writer, size_t length);

void byte_writer_append(struct byte_writer *writer, const void *data, size_t length);
void byte_writer_text(struct byte_writer *writer, struct text text);
void byte_writer_string(struct byte_writer *writer, const char *string);
void byte_writer_byte(struct byte_writer *writer, char byte);
void byte_writer_unsigned(struct byte_writer *writer, uint64_t value);

/* A decimal that reads back as the same double, of 15 digits where they suffice, else 16 or 17;
 * whole numbers up to 2^53 plain; "+Inf", "-Inf" and "NaN" as Prometheus spells them. */
void byte_writer_number(struct byte_writer *writer, double value);

/* Protocol Buffers' base 128 varint. */
void byte_writer_varint(struct byte_writer *writer, uint64_t value);

/* The text as valid UTF-8 without NUL: each byte that is neither is replaced by U+FFFD. */
void byte_writer_utf8(struct byte_writer *writer, struct text text);
