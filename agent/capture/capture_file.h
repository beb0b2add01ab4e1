#pragma once

#include "agent/capture/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One capture file, read from front to back with constant memory: pcap (microseconds, nanoseconds,
 * either byte order) and pcapng (any number of sections and interfaces, each with a link type,
 * snap length and time resolution of its own), plain or gzip. Not libpcap's reader, which refuses
 * pcapng files whose interfaces differ and knows no gzip.
 */
struct capture_file;

#define CAPTURE_FILE_ERROR_SIZE 512

/* Opens a file, "-" for standard input. Returns NULL and one line (without a newline, the path
 * included) when it cannot be read or is no capture. */
struct capture_file *capture_file_open(const char *path,
                                       char error_out[static CAPTURE_FILE_ERROR_SIZE]);
void capture_file_close(struct capture_file *file);

enum capture_file_status {
    CAPTURE_FILE_FRAME,
    CAPTURE_FILE_END,
    CAPTURE_FILE_BROKEN, /* truncated or damaged: capture_file_error says where and how */
};

/* The next frame; its bytes live until the next call. */
enum capture_file_status capture_file_next(struct capture_file *file, struct frame *frame_out);

/* One line that says why the file is broken; the file's. */
const char *capture_file_error(const struct capture_file *file);

/* How far the reading is: bytes read of the file as stored, and its size (0: not known). */
uint64_t capture_file_position(const struct capture_file *file);
uint64_t capture_file_size(const struct capture_file *file);
