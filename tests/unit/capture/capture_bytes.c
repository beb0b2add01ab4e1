#include "capture_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static uint8_t *grow(struct capture_bytes *bytes, size_t length)
{
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = 2 * (bytes->length + length);
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    uint8_t *at = bytes->data + bytes->length;
    bytes->length += length;
    return at;
}

void capture_bytes_free(struct capture_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct capture_bytes){0};
}

void put_u8(struct capture_bytes *bytes, uint8_t value)
{
    *grow(bytes, 1) = value;
}

static void put_number(struct capture_bytes *bytes, uint64_t value, unsigned size)
{
    uint8_t *at = grow(bytes, size);
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = bytes->big_endian ? 8 * (size - 1 - i) : 8 * i;
        at[i] = (uint8_t)(value >> shift);
    }
}

void put_u16(struct capture_bytes *bytes, uint16_t value)
{
    put_number(bytes, value, 2);
}

void put_u32(struct capture_bytes *bytes, uint32_t value)
{
    put_number(bytes, value, 4);
}

void put_u64(struct capture_bytes *bytes, uint64_t value)
{
    put_number(bytes, value, 8);
}

static uint8_t pattern_at(uint32_t seed, size_t position)
{
    return (uint8_t)((seed * 2654435761U + (uint32_t)position * 40503U) >> 11);
}

void put_pattern(struct capture_bytes *bytes, uint32_t seed, size_t length)
{
    uint8_t *at = grow(bytes, length);
    for (size_t i = 0; i < length; i++) {
        at[i] = pattern_at(seed, i);
    }
}

bool is_pattern(const uint8_t *data, uint32_t seed, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != pattern_at(seed, i)) {
            return false;
        }
    }
    return true;
}

void put_pcap_header(struct capture_bytes *bytes, uint32_t magic, uint32_t linktype)
{
    put_u32(bytes, magic);
    put_u16(bytes, 2);
    put_u16(bytes, 4);
    put_u64(bytes, 0);
    put_u32(bytes, 65535);
    put_u32(bytes, linktype);
}

void put_pcap_record(struct capture_bytes *bytes, uint32_t seconds, uint32_t fraction,
                     uint32_t captured, uint32_t wire)
{
    put_u32(bytes, seconds);
    put_u32(bytes, fraction);
    put_u32(bytes, captured);
    put_u32(bytes, wire);
    put_pattern(bytes, seconds, captured);
}

size_t begin_block(struct capture_bytes *bytes, uint32_t type)
{
    size_t begun = bytes->length;
    put_u32(bytes, type);
    put_u32(bytes, 0); /* the length, once it is known */
    return begun;
}

void end_block(struct capture_bytes *bytes, size_t begun)
{
    while ((bytes->length - begun) % 4 != 0) {
        put_u8(bytes, 0);
    }
    size_t length = bytes->length - begun + 4;
    put_u32(bytes, (uint32_t)length);
    memcpy(bytes->data + begun + 4, bytes->data + bytes->length - 4, 4);
}

void put_option(struct capture_bytes *bytes, uint16_t code, const void *value, uint16_t length)
{
    put_u16(bytes, code);
    put_u16(bytes, length);
    if (length > 0) {
        memcpy(grow(bytes, length), value, length);
    }
    for (unsigned i = length; i % 4 != 0; i++) {
        put_u8(bytes, 0);
    }
}

void put_section(struct capture_bytes *bytes)
{
    size_t block = begin_block(bytes, 0x0a0d0d0a);
    put_u32(bytes, 0x1a2b3c4d);
    put_u16(bytes, 1);
    put_u16(bytes, 0);
    put_u64(bytes, UINT64_MAX);
    put_option(bytes, 1, "by hand", 7);
    put_option(bytes, 0, NULL, 0);
    end_block(bytes, block);
}

void put_interface(struct capture_bytes *bytes, uint16_t linktype, const char *name)
{
    size_t block = begin_block(bytes, 1);
    put_u16(bytes, linktype);
    put_u16(bytes, 0);
    put_u32(bytes, 262144);
    if (name != NULL) {
        put_option(bytes, 2, name, (uint16_t)strlen(name));
    }
    end_block(bytes, block);
}

void put_packet(struct capture_bytes *bytes, uint32_t interface, uint64_t ticks, uint32_t captured)
{
    size_t block = begin_block(bytes, 6);
    put_u32(bytes, interface);
    put_u32(bytes, (uint32_t)(ticks >> 32));
    put_u32(bytes, (uint32_t)ticks);
    put_u32(bytes, captured);
    put_u32(bytes, captured + 100);
    put_pattern(bytes, (uint32_t)ticks, captured);
    end_block(bytes, block);
}

void put_gzip(struct capture_bytes *out, const void *data, size_t length)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uLong bound = deflateBound(&stream, length);
    size_t before = out->length;
    stream.next_out = grow(out, bound);
    stream.avail_out = (uInt)bound;
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->length = before + stream.total_out;
    deflateEnd(&stream);
}

int file_of(const void *data, size_t length, char path_out[static 32])
{
    int fd = memfd_create("capture", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), (ssize_t)length);
    snprintf(path_out, 32, "/proc/self/fd/%d", fd);
    return fd;
}

struct capture_file *open_bytes(const void *data, size_t length)
{
    char path[32];
    int fd = file_of(data, length, path);
    char error[CAPTURE_FILE_ERROR_SIZE] = "";
    struct capture_file *file = capture_file_open(path, error);
    close(fd);
    assert_string_equal(error, "");
    assert_non_null(file);
    return file;
}

struct reading read_bytes(const void *data, size_t length)
{
    struct reading reading = {0};
    char path[32];
    int fd = file_of(data, length, path);
    struct capture_file *file = capture_file_open(path, reading.error);
    close(fd);
    if (file == NULL) {
        return reading;
    }
    reading.opened = true;
    struct frame frame;
    while ((reading.status = capture_file_next(file, &frame)) == CAPTURE_FILE_FRAME) {
        reading.frames++;
    }
    assert_int_equal(capture_file_next(file, &frame), reading.status);
    snprintf(reading.error, sizeof(reading.error), "%s", capture_file_error(file));
    capture_file_close(file);
    return reading;
}
