#include "exporters/events/event_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * `length` is that of whole batches. A write that does not succeed is taken back to it, so the next
 * attempt cannot follow half a message. Where even that fails the file is given up: it is rotated,
 * and damaged only at its end.
 */

/* "20260131T120000.000000000Z", terminator included; names sort as their times do. */
#define STAMP_SIZE 27
#define FILE_MODE 0640

struct event_file {
    struct event_file_options options;
    char *folder;     /* of the path, "." where it has none */
    const char *name; /* within it; points into the options' path */
    struct compressor compressor;
    struct byte_writer compressed;
    int fd; /* -1: none is open */
    uint64_t length;
    time_t opened;
};

/* ---- rotation ---- */

static bool is_rotated(const struct event_file *file, const char *name)
{
    size_t length = strlen(file->name);
    if (strncmp(name, file->name, length) != 0 || name[length] != '.') {
        return false;
    }
    const char *stamp = name + length + 1;
    return strlen(stamp) == STAMP_SIZE - 1 && strspn(stamp, "0123456789") == 8 && stamp[8] == 'T' &&
           strspn(stamp + 9, "0123456789") == 6 && stamp[15] == '.' &&
           strspn(stamp + 16, "0123456789") == 9 && stamp[25] == 'Z';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void remove_entry(const struct event_file *file, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", file->folder, name) >= 0) {
        unlink(path);
        free(path);
    }
}

/* Removes the oldest rotated files beyond those to keep. */
static void remove_old(const struct event_file *file)
{
    struct dirent **entries = NULL;
    int count = scandir(file->folder, &entries, NULL, by_name);
    int rotated = 0;
    for (int i = 0; i < count; i++) {
        rotated += is_rotated(file, entries[i]->d_name);
    }
    for (int i = 0; i < count; i++) {
        if (is_rotated(file, entries[i]->d_name) && rotated-- > (int)file->options.keep) {
            remove_entry(file, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

static int rename_fresh(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -errno;
    }
    /* The file system cannot do both at once; nobody else makes such names. */
    if (access(to, F_OK) == 0) {
        return -EEXIST;
    }
    return rename(from, to) == 0 ? 0 : -errno;
}

/* Gives the file its final name. */
static int rename_away(const struct event_file *file)
{
    char seconds[STAMP_SIZE];
    struct timespec now;
    struct tm parts;
    char *path = NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(seconds, sizeof(seconds), "%Y%m%dT%H%M%S", &parts);
    if (asprintf(&path, "%s.%s.%09ldZ", file->options.path, seconds, now.tv_nsec) < 0) {
        return -ENOMEM;
    }
    int status = rename_fresh(file->options.path, path);
    free(path);
    return status;
}

static int open_file(struct event_file *file)
{
    /* Without waiting: a pipe that nobody reads would hold up the start for ever. */
    int fd =
        open(file->options.path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
    struct stat status;
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    file->fd = fd;
    file->length = (uint64_t)status.st_size;
    file->opened = time(NULL);
    return 0;
}

static void rotate(struct event_file *file)
{
    fdatasync(file->fd);
    close(file->fd);
    file->fd = -1;
    /* Where the name cannot be changed, the file grows on: nothing is overwritten. */
    if (rename_away(file) == 0) {
        remove_old(file);
    }
}

static bool is_due(const struct event_file *file, uint64_t more)
{
    if (file->fd < 0 || file->length == 0) {
        return false;
    }
    bool old = time(NULL) - file->opened >= (time_t)file->options.max_age_s;
    return old || file->length + more > file->options.max_bytes;
}

void event_file_idle(void *context)
{
    struct event_file *file = context;
    if (is_due(file, 0)) {
        rotate(file);
    }
}

/* ---- writing ---- */

static struct sender_reply retry(int error)
{
    return (struct sender_reply){.verdict = SENDER_RETRY, .error = strerrordesc_np(error)};
}

/* Returns 0, or -errno with nothing written. */
static int write_whole(struct event_file *file, struct text bytes)
{
    size_t done = 0;
    while (done < bytes.length) {
        ssize_t written = write(file->fd, bytes.data + done, bytes.length - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            int error = written == 0 ? ENOSPC : errno;
            if (ftruncate(file->fd, (off_t)file->length) != 0) {
                rotate(file);
            }
            return -error;
        }
        done += (size_t)written;
    }
    file->length += bytes.length;
    return 0;
}

struct sender_reply event_file_deliver(void *context, const struct outbox_batch *batch)
{
    struct event_file *file = context;
    byte_writer_reset(&file->compressed);
    struct text bytes = {batch->bytes.data, batch->bytes.length};
    if (file->options.compression != COMPRESSION_NONE) {
        if (compressor_append(&file->compressor, bytes, &file->compressed) != 0) {
            return retry(ENOMEM);
        }
        bytes = (struct text){file->compressed.data, file->compressed.length};
    }
    if (is_due(file, bytes.length)) {
        rotate(file);
    }
    int status = file->fd < 0 ? open_file(file) : 0;
    if (status == 0) {
        status = write_whole(file, bytes);
    }
    return status == 0 ? (struct sender_reply){.verdict = SENDER_DELIVERED} : retry(-status);
}

/* ---- life ---- */

static bool set_names(struct event_file *file)
{
    const char *slash = strrchr(file->options.path, '/');
    file->name = slash == NULL ? file->options.path : slash + 1;
    size_t length = slash == NULL ? 0 : (size_t)(slash - file->options.path);
    file->folder =
        slash == NULL ? strdup(".") : strndup(file->options.path, length + (length == 0));
    return file->folder != NULL;
}

int event_file_open(const struct event_file_options *options, struct event_file **file_out)
{
    struct event_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return -ENOMEM;
    }
    file->fd = -1;
    file->options = *options;
    file->compressor.method = options->compression;
    int status = set_names(file) ? open_file(file) : -ENOMEM;
    if (status != 0) {
        event_file_close(file);
        return status;
    }
    /* What was there may end in half a message. */
    if (file->length > 0) {
        rotate(file);
    }
    *file_out = file;
    return 0;
}

void event_file_close(struct event_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        fdatasync(file->fd);
        close(file->fd);
    }
    compressor_fini(&file->compressor);
    byte_writer_fini(&file->compressed);
    free(file->folder);
    free(file);
}
