#include "agent/capture/capture_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Any bytes as a capture file: every frame lies within bounds, in memory and in time, and a file
 * that broke says why. The file is one in memory, used again for each input. */

static void check_frame(const struct frame *frame)
{
    volatile uint8_t sum = 0;
    for (uint32_t i = 0; i < frame->captured_length; i++) {
        sum = (uint8_t)(sum + frame->bytes[i]);
    }
    if (frame->wire_length < frame->captured_length || frame->time_ns < 0 ||
        frame->direction != FRAME_DIRECTION_UNKNOWN) {
        abort();
    }
}

static void read_to_end(struct capture_file *file)
{
    struct frame frame;
    enum capture_file_status status;
    while ((status = capture_file_next(file, &frame)) == CAPTURE_FILE_FRAME) {
        check_frame(&frame);
    }
    bool told = capture_file_error(file)[0] != '\0';
    if (told != (status == CAPTURE_FILE_BROKEN)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("capture", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
        abort();
    }
    char error[CAPTURE_FILE_ERROR_SIZE] = "";
    struct capture_file *file = capture_file_open(path, error);
    if (file == NULL) {
        if (error[0] == '\0') {
            abort();
        }
        return 0;
    }
    read_to_end(file);
    capture_file_close(file);
    return 0;
}
