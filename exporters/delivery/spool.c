#include "exporters/delivery/spool.h"

#include "exporters/delivery/spool_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/*
 * Segments in the order of their numbers; the last one is appended to. Two places move along them:
 * `read`, the next frame to hand out, and `done`, behind which everything was delivered. Between
 * the two is what is under way: its segments stay. `done` is also in the file DONE_NAME, so that a
 * restart begins there. Segments wholly in front of `done` are removed.
 */

/* So many segments make the whole: a full spool gives up that share of it at a time. */
#define SEGMENTS 16
#define SEGMENT_BYTES_MIN 65536
/* Room beside these for short segments, which restarts leave. */
#define SEGMENTS_MAX 1024
#define DONE_NAME "done"

struct place {
    uint64_t number; /* of the segment */
    uint64_t offset;
};

struct spool {
    pthread_mutex_t lock;
    int directory;
    uint64_t max_bytes;
    uint64_t segment_bytes;
    uint64_t bytes; /* of all segments */
    struct spool_segment segments[SEGMENTS_MAX];
    size_t count;
    struct place read;
    struct place done;
    uint64_t items_read; /* of the segment that is being read */
    int read_fd;         /* -1: none is open */
    int write_fd;
    int done_fd;
};

/* What the file DONE_NAME holds, in the machine's own byte order: it never leaves it. */
struct done_record {
    uint64_t number;
    uint64_t offset;
    uint64_t check;
};

static uint64_t check_of(const struct done_record *record)
{
    return crc32(0, (const unsigned char *)record, offsetof(struct done_record, check));
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- segments ---- */

static size_t index_of(const struct spool *spool, uint64_t number)
{
    size_t i = 0;
    while (i < spool->count && spool->segments[i].number < number) {
        i++;
    }
    return i;
}

static void remove_segment(struct spool *spool, size_t index)
{
    char name[SPOOL_SEGMENT_NAME_SIZE];
    struct spool_segment *segment = &spool->segments[index];
    spool_segment_name(segment->number, name);
    unlinkat(spool->directory, name, 0);
    spool->bytes -= segment->bytes;
    spool->count--;
    memmove(segment, segment + 1, (spool->count - index) * sizeof(*segment));
}

static int add_segment(struct spool *spool)
{
    uint64_t number =
        spool->count == 0 ? spool->read.number + 1 : spool->segments[spool->count - 1].number + 1;
    if (spool->count == SEGMENTS_MAX) {
        return -ENOSPC;
    }
    int fd = spool_segment_create(spool->directory, number);
    if (fd < 0) {
        return fd;
    }
    close_fd(&spool->write_fd);
    spool->write_fd = fd;
    spool->segments[spool->count++] = (struct spool_segment){.number = number};
    return 0;
}

/* The oldest segment that has something unread and nothing under way; the last one is written. */
static size_t find_droppable(const struct spool *spool)
{
    bool under_way =
        spool->done.number != spool->read.number || spool->done.offset != spool->read.offset;
    for (size_t i = 0; i + 1 < spool->count; i++) {
        uint64_t number = spool->segments[i].number;
        bool kept = under_way && number >= spool->done.number && number <= spool->read.number;
        if (!kept && number >= spool->read.number) {
            return i;
        }
    }
    return spool->count;
}

static bool drop_oldest(struct spool *spool, struct spool_loss *dropped)
{
    size_t index = find_droppable(spool);
    if (index == spool->count) {
        return false;
    }
    const struct spool_segment *segment = &spool->segments[index];
    bool reading = segment->number == spool->read.number;
    dropped->items += segment->items - (reading ? spool->items_read : 0);
    dropped->bytes += segment->bytes - (reading ? spool->read.offset : 0);
    if (reading) {
        close_fd(&spool->read_fd);
        spool->read = (struct place){spool->segments[index + 1].number, 0};
        spool->done = spool->read;
        spool->items_read = 0;
    }
    remove_segment(spool, index);
    return true;
}

/* ---- appending ---- */

static int make_room(struct spool *spool, uint64_t length, struct spool_loss *dropped)
{
    bool fresh = spool->write_fd < 0 ||
                 spool->segments[spool->count - 1].bytes + length > spool->segment_bytes;
    if (fresh) {
        int status = add_segment(spool);
        if (status != 0) {
            return status;
        }
    }
    while (spool->bytes + length > spool->max_bytes) {
        if (!drop_oldest(spool, dropped)) {
            return -ENOSPC;
        }
    }
    return 0;
}

struct spool_result spool_append(struct spool *spool, const struct byte_writer *bytes,
                                 uint32_t items)
{
    struct spool_result result = {0};
    uint64_t length = bytes->length + SPOOL_FRAME_HEADER_SIZE;
    pthread_mutex_lock(&spool->lock);
    result.status =
        bytes->length > SPOOL_FRAME_MAX ? -EFBIG : make_room(spool, length, &result.dropped);
    if (result.status == 0) {
        struct spool_segment *last = &spool->segments[spool->count - 1];
        result.status = spool_segment_append(last, spool->write_fd, bytes, items);
    }
    if (result.status == 0) {
        spool->bytes += length;
    }
    pthread_mutex_unlock(&spool->lock);
    return result;
}

/* ---- reading ---- */

/* Moves on to the segment behind the one that was read to its end. False: it is the last. */
static bool next_segment(struct spool *spool)
{
    size_t index = index_of(spool, spool->read.number + 1);
    if (index >= spool->count) {
        return false;
    }
    close_fd(&spool->read_fd);
    spool->read = (struct place){spool->segments[index].number, 0};
    spool->items_read = 0;
    return true;
}

/* The items of the next frame, 0 at the end of the segment, negative: it cannot be read on. */
static int64_t read_frame(struct spool *spool, struct byte_writer *out)
{
    size_t index = index_of(spool, spool->read.number);
    if (index == spool->count || spool->segments[index].number != spool->read.number ||
        spool->read.offset >= spool->segments[index].bytes) {
        return 0;
    }
    if (spool->read_fd < 0) {
        spool->read_fd = spool_segment_open(spool->directory, spool->read.number);
        if (spool->read_fd < 0) {
            return spool->read_fd;
        }
    }
    return spool_segment_read(spool->read_fd, &spool->read.offset, out);
}

/* Gives up the rest of a segment. */
static void skip_rest(struct spool *spool, struct spool_loss *damaged)
{
    const struct spool_segment *segment = &spool->segments[index_of(spool, spool->read.number)];
    damaged->items += segment->items - spool->items_read;
    damaged->bytes += segment->bytes - spool->read.offset;
    spool->items_read = segment->items;
    spool->read.offset = segment->bytes;
}

uint64_t spool_read(struct spool *spool, struct byte_writer *out, struct spool_loss *damaged)
{
    pthread_mutex_lock(&spool->lock);
    int64_t items = 0;
    do {
        items = read_frame(spool, out);
        if (items < 0 && items != -ENOMEM) {
            skip_rest(spool, damaged);
        }
    } while (items <= 0 && items != -ENOMEM && next_segment(spool));
    spool->items_read += items > 0 ? (uint64_t)items : 0;
    pthread_mutex_unlock(&spool->lock);
    return items > 0 ? (uint64_t)items : 0;
}

static void write_done(const struct spool *spool)
{
    struct done_record record = {.number = spool->done.number, .offset = spool->done.offset};
    record.check = check_of(&record);
    (void)!pwrite(spool->done_fd, &record, sizeof(record), 0);
}

void spool_done(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    spool->done = spool->read;
    write_done(spool);
    while (spool->count > 0 && spool->segments[0].number < spool->done.number) {
        remove_segment(spool, 0);
    }
    pthread_mutex_unlock(&spool->lock);
}

/* ---- opening ---- */

static int by_number(const void *a, const void *b)
{
    const struct spool_segment *left = a;
    const struct spool_segment *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static int list_segments(struct spool *spool)
{
    int fd = openat(spool->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        int error = errno;
        close_fd(&fd);
        return -error;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL && spool->count < SEGMENTS_MAX) {
        uint64_t number = spool_segment_number(entry->d_name);
        if (number != 0) {
            spool->segments[spool->count++] = (struct spool_segment){.number = number};
        }
    }
    closedir(directory);
    qsort(spool->segments, spool->count, sizeof(spool->segments[0]), by_number);
    return 0;
}

/* Where the process before had come to. */
static struct place read_done(const struct spool *spool)
{
    struct done_record record;
    bool whole = pread(spool->done_fd, &record, sizeof(record), 0) == sizeof(record) &&
                 record.check == check_of(&record);
    return whole ? (struct place){record.number, record.offset} : (struct place){0, 0};
}

/* Removes what was done, and counts what was not. */
static void scan_segments(struct spool *spool, struct spool_found *found)
{
    struct place done = read_done(spool);
    for (size_t i = 0; i < spool->count;) {
        struct spool_segment *segment = &spool->segments[i];
        uint64_t offset = segment->number == done.number ? done.offset : 0;
        int fd = segment->number < done.number
                     ? -1
                     : spool_segment_open(spool->directory, segment->number);
        if (fd >= 0) {
            found->damaged += !spool_segment_scan(segment, fd, offset);
            close(fd);
        }
        spool->bytes += segment->bytes;
        if (segment->items == 0) {
            remove_segment(spool, i);
            continue;
        }
        found->items += segment->items;
        found->bytes += segment->bytes - offset;
        i++;
    }
    spool->read = (struct place){done.number, done.offset};
    if (spool->count > 0 && spool->segments[0].number != done.number) {
        spool->read = (struct place){spool->segments[0].number, 0};
    }
    spool->done = spool->read;
}

static int make_directory(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return -errno;
    }
    return 0;
}

static int open_files(struct spool *spool, const char *path)
{
    int status = make_directory(path);
    if (status != 0) {
        return status;
    }
    spool->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->directory < 0) {
        return -errno;
    }
    /* The mark is also what keeps a second process out. */
    spool->done_fd = openat(spool->directory, DONE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (spool->done_fd < 0 || flock(spool->done_fd, LOCK_EX | LOCK_NB) != 0) {
        return -errno;
    }
    return list_segments(spool);
}

struct spool *spool_open(const char *path, uint64_t max_bytes, struct spool_found *found_out,
                         char error_out[static SPOOL_ERROR_SIZE])
{
    struct spool *spool = calloc(1, sizeof(*spool));
    if (spool == NULL) {
        snprintf(error_out, SPOOL_ERROR_SIZE, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&spool->lock, NULL);
    spool->directory = spool->read_fd = spool->write_fd = spool->done_fd = -1;
    spool->max_bytes = max_bytes;
    uint64_t share = max_bytes / SEGMENTS;
    spool->segment_bytes = share > SEGMENT_BYTES_MIN ? share : SEGMENT_BYTES_MIN;
    int status = open_files(spool, path);
    if (status != 0) {
        const char *why =
            status == -EWOULDBLOCK ? "another process uses it" : strerrordesc_np(-status);
        snprintf(error_out, SPOOL_ERROR_SIZE, "cannot use the spool %s: %s", path, why);
        spool_close(spool);
        return NULL;
    }
    *found_out = (struct spool_found){0};
    scan_segments(spool, found_out);
    return spool;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL) {
        return;
    }
    close_fd(&spool->read_fd);
    close_fd(&spool->write_fd);
    close_fd(&spool->done_fd);
    close_fd(&spool->directory);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}
