#include "agent/capture/capture_file.h"

#include "agent/capture/byte_source.h"
#include "agent/capture/pcap_reader.h"
#include "agent/capture/pcapng_reader.h"
#include "agent/capture/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The readers say where the records are and what a damage is; this file knows the path, counts the
 * packets and puts the two together into the one line a user sees. Once a file has ended or broken
 * it stays so, whatever follows.
 */

struct capture_file {
    struct byte_source source;
    bool is_pcapng;
    struct pcap_reader pcap;
    struct pcapng_reader pcapng;
    uint64_t packets;
    enum capture_file_status ended; /* CAPTURE_FILE_FRAME: it has not */
    const char *name;               /* the caller's path or what stands for it */
    char *name_owned;
    char error[CAPTURE_FILE_ERROR_SIZE];
};

/* The longest of a path that an error line repeats, so that what is wrong always fits. */
#define NAME_SHOWN_MAX 300

/* Bytes that decide what a file is. */
#define MAGIC_SIZE 12

static const struct {
    const char *magic;
    size_t length;
    const char *what;
} other_formats[] = {
    {"\x28\xb5\x2f\xfd", 4, "zstd-compressed data (decompress it first)"},
    {"\xfd\x37zXZ", 5, "xz-compressed data (decompress it first)"},
    {"BZh", 3, "bzip2-compressed data (decompress it first)"},
    {"\x04\x22\x4d\x18", 4, "lz4-compressed data (decompress it first)"},
    {"\x1f\x8b", 2, "data that was gzipped twice"},
    {"PK\x03\x04", 4, "a zip archive"},
    {"snoop", 5, "a snoop capture (convert it with editcap)"},
    {"\x7f"
     "ELF",
     4, "a program"},
    {"%PDF", 4, "a PDF document"},
    {"SQLite", 6, "an SQLite database"},
};

static bool is_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool printable = bytes[i] >= ' ' && bytes[i] < 0x7f;
        bool blank = bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t';
        if (!printable && !blank) {
            return false;
        }
    }
    return true;
}

static const char *looks_like(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < sizeof(other_formats) / sizeof(other_formats[0]); i++) {
        if (length >= other_formats[i].length &&
            memcmp(bytes, other_formats[i].magic, other_formats[i].length) == 0) {
            return other_formats[i].what;
        }
    }
    return is_text(bytes, length) ? "text" : "unknown data";
}

__attribute__((format(printf, 2, 3))) static void set_error(struct capture_file *file,
                                                            const char *format, ...)
{
    int length = snprintf(file->error, sizeof(file->error), "%.*s: ", NAME_SHOWN_MAX, file->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->error + length, sizeof(file->error) - (size_t)length, format, arguments);
    va_end(arguments);
}

/* "in packet 12 at byte 345": where reading stopped. */
static void where(const struct capture_file *file, uint64_t offset, char *text, size_t size)
{
    const char *of = file->source.gunzip != NULL ? " of the decompressed data" : "";
    snprintf(text, size, "in packet %" PRIu64 " at byte %" PRIu64 "%s", file->packets + 1, offset,
             of);
}

static enum capture_file_status broken(struct capture_file *file, enum record_status status)
{
    char place[100];
    const struct byte_source *source = &file->source;
    if (status == RECORD_DAMAGED) {
        where(file, source->offset, place, sizeof(place));
        set_error(file, "damaged %s: %s", place,
                  file->is_pcapng ? file->pcapng.damage : file->pcap.damage);
    } else {
        where(file, source->offset + source->left, place, sizeof(place));
        set_error(file, "truncated %s%s%s", place, source->fault[0] == '\0' ? "" : ": ",
                  source->fault);
    }
    return CAPTURE_FILE_BROKEN;
}

static bool start(struct capture_file *file)
{
    const uint8_t *magic = byte_source_peek(&file->source, MAGIC_SIZE);
    size_t length = magic != NULL ? MAGIC_SIZE : file->source.left;
    const uint8_t *bytes = file->source.at;
    if (length == 0 || bytes == NULL) {
        set_error(file, "%s", file->source.fault[0] != '\0' ? file->source.fault : "is empty");
        return false;
    }
    if (length == MAGIC_SIZE && pcapng_reader_recognises(bytes)) {
        file->is_pcapng = true;
        pcapng_reader_init(&file->pcapng);
        return true;
    }
    if (length < 4 || !pcap_reader_recognises(bytes)) {
        set_error(file, "is no pcap or pcapng capture: looks like %s", looks_like(bytes, length));
        return false;
    }
    switch (pcap_reader_start(&file->pcap, &file->source)) {
    case RECORD_FRAME:
        return true;
    case RECORD_DAMAGED:
        set_error(file, "is a capture that cannot be read: %s", file->pcap.damage);
        return false;
    case RECORD_END:
    case RECORD_TRUNCATED:
        break;
    }
    set_error(file, "truncated in the file header");
    return false;
}

struct capture_file *capture_file_open(const char *path,
                                       char error_out[static CAPTURE_FILE_ERROR_SIZE])
{
    struct capture_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        snprintf(error_out, CAPTURE_FILE_ERROR_SIZE, "%.*s: out of memory", NAME_SHOWN_MAX, path);
        return NULL;
    }
    file->name = strcmp(path, "-") == 0 ? "standard input" : path;
    int status = byte_source_open(&file->source, path);
    if (status < 0) {
        set_error(file, "%s", strerrordesc_np(-status));
    } else if (start(file)) {
        file->name_owned = strdup(file->name);
        file->name = file->name_owned != NULL ? file->name_owned : "capture";
        return file;
    }
    memcpy(error_out, file->error, CAPTURE_FILE_ERROR_SIZE);
    capture_file_close(file);
    return NULL;
}

void capture_file_close(struct capture_file *file)
{
    if (file == NULL) {
        return;
    }
    pcapng_reader_fini(&file->pcapng);
    byte_source_close(&file->source);
    free(file->name_owned);
    free(file);
}

/* Everything but a frame; kept apart so that the path of a frame stays short. */
static enum capture_file_status end(struct capture_file *file, enum record_status status)
{
    bool clean = status == RECORD_END && file->source.fault[0] == '\0';
    file->ended = clean ? CAPTURE_FILE_END : broken(file, status);
    return file->ended;
}

enum capture_file_status capture_file_next(struct capture_file *file, struct frame *frame_out)
{
    if (file->ended != CAPTURE_FILE_FRAME) {
        return file->ended;
    }
    enum record_status status = file->is_pcapng
                                    ? pcapng_reader_next(&file->pcapng, &file->source, frame_out)
                                    : pcap_reader_next(&file->pcap, &file->source, frame_out);
    if (status != RECORD_FRAME) {
        return end(file, status);
    }
    file->packets++;
    return CAPTURE_FILE_FRAME;
}

const char *capture_file_error(const struct capture_file *file)
{
    return file->error;
}

uint64_t capture_file_position(const struct capture_file *file)
{
    return file->source.stored_position;
}

uint64_t capture_file_size(const struct capture_file *file)
{
    return file->source.stored_size;
}
