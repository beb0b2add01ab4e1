#include "agent/capture/capture_file.h"
#include "agent/commands/event.h"
#include "agent/config/config.h"
#include "agent/pipeline.h"
#include "exporters/events/event_json.h"
#include "exporters/events/event_protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Any bytes as a capture file, through every stage to the lines that are written: nothing crashes
 * or leaks, and no byte of a peer reaches a line raw. The stages are made once. */

#define MEMORY_BYTES (UINT64_C(4) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stages {
    struct config *config;
    struct directory *directory;
    struct pipeline *pipeline;
    struct exchange_sink tap;
    struct event_protobuf protobuf;
    struct byte_writer line;
    struct byte_writer message;
    int64_t active;
    int file;
    char path[32];
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct stages *stages = context;
    stages->active -= exchange->ends_request;
    require(stages->active >= 0);
    struct event_texts texts;
    struct aggregate_ends ends;
    pipeline_ends(stages->pipeline, connection, &ends);
    struct exchange_record record = event_record(connection, exchange, &ends, &texts);
    byte_writer_reset(&stages->line);
    event_json_append(&record, &stages->line);
    byte_writer_reset(&stages->message);
    event_protobuf_append(&stages->protobuf, &record, &stages->message);
    require(!stages->line.failed && !stages->message.failed && stages->message.length > 0);
    for (size_t i = 0; i + 1 < stages->line.length; i++) {
        require((unsigned char)stages->line.data[i] >= ' ' && stages->line.data[i] != 0x7f);
    }
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    struct stages *stages = context;
    (void)connection;
    stages->active += event->kind == CONNECTION_REQUEST_BEGAN;
    stages->active -= event->kind == CONNECTION_REQUEST_ENDED;
    require(stages->active >= 0);
}

/* With Kubernetes, everything waits for its names and comes out at the end. */
static struct stages *new_stages(bool kubernetes)
{
    struct stages *stages = calloc(1, sizeof(*stages));
    require(stages != NULL);
    stages->config = config_new();
    stages->directory = directory_new(NULL, 0);
    stages->tap =
        (struct exchange_sink){.context = stages, .exchange = on_exchange, .event = on_event};
    event_protobuf_init(&stages->protobuf);
    byte_writer_init(&stages->line);
    byte_writer_init(&stages->message);
    struct pipeline_options options = {.config = stages->config,
                                       .directory = stages->directory,
                                       .kubernetes = kubernetes,
                                       .memory_bytes = MEMORY_BYTES,
                                       .file_side = EXCHANGE_SERVER,
                                       .tap = &stages->tap};
    stages->pipeline = pipeline_new(&options);
    stages->file = memfd_create("capture", MFD_CLOEXEC);
    require(stages->pipeline != NULL && stages->file >= 0);
    snprintf(stages->path, sizeof(stages->path), "/proc/self/fd/%d", stages->file);
    return stages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stages *both[2];
    struct stages *stages = both[size % 2];
    char error[CAPTURE_FILE_ERROR_SIZE];
    struct frame frame;
    if (stages == NULL) {
        stages = new_stages(size % 2 != 0);
        both[size % 2] = stages;
    }
    require(ftruncate(stages->file, 0) == 0 &&
            pwrite(stages->file, data, size, 0) == (ssize_t)size);
    struct capture_file *file = capture_file_open(stages->path, error);
    if (file == NULL) {
        return 0;
    }
    while (capture_file_next(file, &frame) == CAPTURE_FILE_FRAME) {
        pipeline_frame(stages->pipeline, &frame);
    }
    capture_file_close(file);
    pipeline_finish(stages->pipeline);
    require(stages->active == 0);
    return 0;
}
