#include "exporters/delivery/spool_segment.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define SUFFIX ".spool"
#define NUMBER_DIGITS 16

void spool_segment_name(uint64_t number, char name[static SPOOL_SEGMENT_NAME_SIZE])
{
    snprintf(name, SPOOL_SEGMENT_NAME_SIZE, "%016" PRIx64 SUFFIX, number);
}

uint64_t spool_segment_number(const char *name)
{
    if (strspn(name, "0123456789abcdef") != NUMBER_DIGITS ||
        strcmp(name + NUMBER_DIGITS, SUFFIX) != 0) {
        return 0;
    }
    return strtoull(name, NULL, 16);
}

int spool_segment_create(int directory, uint64_t number)
{
    char name[SPOOL_SEGMENT_NAME_SIZE];
    spool_segment_name(number, name);
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

int spool_segment_open(int directory, uint64_t number)
{
    char name[SPOOL_SEGMENT_NAME_SIZE];
    spool_segment_name(number, name);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static uint32_t checksum(const unsigned char *header, const char *bytes, size_t length)
{
    /* Length and number of items, then the bytes. */
    uLong crc = crc32(0, header, 2 * sizeof(uint32_t));
    return (uint32_t)crc32_z(crc, (const unsigned char *)bytes, length);
}

static void put(unsigned char *at, uint32_t value)
{
    uint32_t little = htole32(value);
    memcpy(at, &little, sizeof(little));
}

static uint32_t get(const unsigned char *at)
{
    uint32_t little;
    memcpy(&little, at, sizeof(little));
    return le32toh(little);
}

int spool_segment_append(struct spool_segment *segment, int fd, const struct byte_writer *bytes,
                         uint32_t items)
{
    unsigned char header[SPOOL_FRAME_HEADER_SIZE];
    put(header, (uint32_t)bytes->length);
    put(header + 4, items);
    put(header + 8, checksum(header, bytes->data, bytes->length));
    struct iovec parts[] = {{header, sizeof(header)}, {bytes->data, bytes->length}};
    size_t total = sizeof(header) + bytes->length;
    ssize_t written = writev(fd, parts, 2);
    if (written != (ssize_t)total) {
        int error = written < 0 ? errno : ENOSPC;
        /* Half a frame would hide those behind it. */
        return ftruncate(fd, (off_t)segment->bytes) == 0 ? -error : -errno;
    }
    segment->bytes += total;
    segment->items += items;
    return 0;
}

/* Exactly so many bytes. Returns 0 or -errno; -EBADMSG: the file ends before. */
static int read_all(int fd, void *to, size_t length, uint64_t offset)
{
    char *at = to;
    while (length > 0) {
        ssize_t got = pread(fd, at, length, (off_t)offset);
        if (got == 0) {
            return -EBADMSG;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got > 0) {
            at += got;
            length -= (size_t)got;
            offset += (size_t)got;
        }
    }
    return 0;
}

int64_t spool_segment_read(int fd, uint64_t *offset, struct byte_writer *out)
{
    unsigned char header[SPOOL_FRAME_HEADER_SIZE];
    ssize_t first = pread(fd, header, 1, (off_t)*offset);
    if (first <= 0) {
        return first == 0 ? 0 : -errno;
    }
    int status = read_all(fd, header, sizeof(header), *offset);
    uint32_t length = get(header);
    uint32_t items = get(header + 4);
    if (status != 0 || length > SPOOL_FRAME_MAX || items == 0) {
        return status != 0 ? status : -EBADMSG;
    }
    char *room = byte_writer_reserve(out, length);
    if (room == NULL) {
        return -ENOMEM;
    }
    status = read_all(fd, room, length, *offset + sizeof(header));
    if (status != 0 || checksum(header, room, length) != get(header + 8)) {
        return status != 0 ? status : -EBADMSG;
    }
    byte_writer_advance(out, length);
    *offset += sizeof(header) + length;
    return items;
}

bool spool_segment_scan(struct spool_segment *segment, int fd, uint64_t offset)
{
    struct byte_writer bytes;
    byte_writer_init(&bytes);
    int64_t items = 0;
    segment->items = 0;
    while ((items = spool_segment_read(fd, &offset, &bytes)) > 0) {
        segment->items += (uint64_t)items;
        byte_writer_reset(&bytes);
    }
    segment->bytes = offset;
    byte_writer_fini(&bytes);
    return items == 0;
}
