#pragma once

#include "agent/capture/capture_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Capture files written by hand, field by field, and what reading them gives. */

struct capture_bytes {
    uint8_t *data;
    size_t length;
    size_t capacity;
    bool big_endian;
};

void capture_bytes_free(struct capture_bytes *bytes);
void put_u8(struct capture_bytes *bytes, uint8_t value);
void put_u16(struct capture_bytes *bytes, uint16_t value);
void put_u32(struct capture_bytes *bytes, uint32_t value);
void put_u64(struct capture_bytes *bytes, uint64_t value);

/* `length` bytes of a pattern that depends on `seed` and the position. */
void put_pattern(struct capture_bytes *bytes, uint32_t seed, size_t length);
bool is_pattern(const uint8_t *data, uint32_t seed, size_t length);

void put_pcap_header(struct capture_bytes *bytes, uint32_t magic, uint32_t linktype);

/* A record whose packet is the pattern of seed `seconds`. */
void put_pcap_record(struct capture_bytes *bytes, uint32_t seconds, uint32_t fraction,
                     uint32_t captured, uint32_t wire);

/* Blocks of pcapng: begin, fields, end (padding and both lengths). */
size_t begin_block(struct capture_bytes *bytes, uint32_t type);
void end_block(struct capture_bytes *bytes, size_t begun);
void put_option(struct capture_bytes *bytes, uint16_t code, const void *value, uint16_t length);
void put_section(struct capture_bytes *bytes);
void put_interface(struct capture_bytes *bytes, uint16_t linktype, const char *name);

/* An enhanced packet whose data is the pattern of seed `ticks`. */
void put_packet(struct capture_bytes *bytes, uint32_t interface, uint64_t ticks, uint32_t captured);

/* The same content as one gzip member, appended to `out`. */
void put_gzip(struct capture_bytes *out, const void *data, size_t length);

/* A file of these bytes; give its path to capture_file_open and close the descriptor after. */
int file_of(const void *data, size_t length, char path_out[static 32]);

/* Opens a file of these bytes, which must succeed. */
struct capture_file *open_bytes(const void *data, size_t length);

/* What reading to the end gave. */
struct reading {
    bool opened;
    size_t frames;
    enum capture_file_status status;
    char error[CAPTURE_FILE_ERROR_SIZE]; /* of the opening or the reading */
};

struct reading read_bytes(const void *data, size_t length);
