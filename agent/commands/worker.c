#include "agent/commands/worker.h"

#include "agent/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The thread sleeps in epoll on the ring, on what the interfaces report, and on the order to stop,
 * and wakes by itself for the stages' sake; libpcap's read timeout is not relied upon, as it does
 * not fire on an idle interface. The stages' time is that of the packets read: while the thread is
 * behind, what waits in the ring is not late.
 */

/* How long the thread sleeps at most: what waits for a late packet is looked at that often. */
#define TICK_MS 100
#define NS_PER_MS INT64_C(1000000)

struct worker {
    struct live *live;
    struct pipeline *pipeline;
    struct name_source *names;
    struct directory_source *directories; /* of the names */
    const struct directory *directory;    /* held */
    struct exchange_tap *tap;             /* NULL: none */
    uint64_t directory_version;
    bool complete;
    int epoll;
    int stop_event;
    pthread_t thread;
    bool started;
    _Atomic bool running;
};

/* True: the order to stop has come. */
static bool wait_for_work(const struct worker *worker)
{
    struct epoll_event events[3];
    int count = epoll_wait(worker->epoll, events, 3, TICK_MS);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == worker->stop_event) {
            return true;
        }
    }
    return false;
}

/* Takes the newest directory; asks for its version first, so one published meanwhile is taken at
 * the next look. */
static void take_directory(struct worker *worker)
{
    worker->directory_version = directory_source_version(worker->directories);
    worker->directory = directory_source_acquire(worker->directories);
}

/* Between two batches: nobody holds anything of the former directory once it is given back. The
 * directory that is taken once the names are complete is complete. */
static void follow_names(struct worker *worker)
{
    bool complete = worker->complete || name_source_complete(worker->names);
    if (directory_source_version(worker->directories) != worker->directory_version) {
        const struct directory *former = worker->directory;
        take_directory(worker);
        pipeline_set_directory(worker->pipeline, worker->directory);
        directory_source_release(worker->directories, former);
    }
    if (complete && !worker->complete) {
        worker->complete = true;
        pipeline_set_complete(worker->pipeline);
    }
}

static int run_until_stopped(struct worker *worker)
{
    int64_t ticked_ns = 0;
    while (!wait_for_work(worker)) {
        follow_names(worker);
        int status = live_dispatch(worker->live);
        if (status != 0) {
            return status;
        }
        int64_t now = live_reached_ns(worker->live);
        if (now - ticked_ns >= TICK_MS * NS_PER_MS || now < ticked_ns) {
            ticked_ns = now;
            pipeline_tick(worker->pipeline, now);
        }
    }
    return live_drain(worker->live);
}

static void *thread_main(void *context)
{
    struct worker *worker = context;
    int status = run_until_stopped(worker);
    if (status != 0) {
        log_event(LOG_LEVEL_ERROR, "capture", "the ring cannot be read any more", "error",
                  strerrordesc_np(-status), NULL);
    }
    pipeline_finish(worker->pipeline);
    atomic_store(&worker->running, false);
    return NULL;
}

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static bool open_descriptors(struct worker *worker)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->stop_event = eventfd(0, EFD_CLOEXEC);
    return worker->epoll >= 0 && worker->stop_event >= 0 &&
           watch(worker->epoll, live_ring_fd(worker->live)) == 0 &&
           watch(worker->epoll, live_control_fd(worker->live)) == 0 &&
           watch(worker->epoll, worker->stop_event) == 0;
}

static void tell_plain(void *context, const struct plain_bytes *plain)
{
    const struct worker *worker = context;
    live_tell_plain(worker->live, plain);
}

static int64_t interface_since(void *context, uint32_t interface)
{
    const struct worker *worker = context;
    return live_interface_since(worker->live, interface);
}

/* The ring is there before the pipeline is; no packet of it comes before. */
static void on_frame(void *context, const struct frame *frame)
{
    const struct worker *worker = context;
    pipeline_frame(worker->pipeline, frame);
}

static void on_interface_gone(void *context, uint32_t interface)
{
    const struct worker *worker = context;
    pipeline_interface_gone(worker->pipeline, interface);
}

static bool open_ring(struct worker *worker, const struct live_options *options, char *error_out)
{
    struct live_callbacks callbacks = {
        .context = worker, .frame = on_frame, .interface_gone = on_interface_gone};
    worker->live = live_open(options, &callbacks, error_out);
    if (worker->live == NULL) {
        return false;
    }
    if (!open_descriptors(worker)) {
        snprintf(error_out, LIVE_ERROR_SIZE, "cannot wait for packets: %s", strerrordesc_np(errno));
        return false;
    }
    return true;
}

struct worker *worker_new(const struct live_options *live, char error_out[static LIVE_ERROR_SIZE])
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        snprintf(error_out, LIVE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    worker->epoll = -1;
    worker->stop_event = -1;
    if (!open_ring(worker, live, error_out)) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

int worker_prepare(struct worker *worker, const struct pipeline_options *pipeline,
                   struct name_source *names, struct exchange_tap *tap)
{
    worker->names = names;
    worker->directories = name_source_directories(names);
    worker->tap = tap;
    take_directory(worker);
    struct pipeline_options options = *pipeline;
    options.directory = worker->directory;
    options.interface_since = interface_since;
    options.interface_context = worker;
    options.plain = tell_plain;
    options.plain_context = worker;
    struct exchange_sink sink;
    if (tap != NULL) {
        sink = exchange_tap_sink(tap);
        options.tap = &sink;
    }
    worker->pipeline = pipeline_new(&options);
    if (worker->pipeline == NULL) {
        return -ENOMEM;
    }
    if (tap != NULL) {
        tap->pipeline = worker->pipeline;
    }
    return 0;
}

int worker_start(struct worker *worker)
{
    atomic_store(&worker->running, true);
    int status = pthread_create(&worker->thread, NULL, thread_main, worker);
    worker->started = status == 0;
    return -status;
}

void worker_order_stop(const struct worker *worker)
{
    uint64_t one = 1;
    while (write(worker->stop_event, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

void worker_stop(struct worker *worker)
{
    if (worker->started) {
        worker_order_stop(worker);
        pthread_join(worker->thread, NULL);
        worker->started = false;
    }
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    worker_stop(worker);
    if (worker->stop_event >= 0) {
        close(worker->stop_event);
    }
    if (worker->epoll >= 0) {
        close(worker->epoll);
    }
    live_close(worker->live);
    pipeline_free(worker->pipeline);
    if (worker->directory != NULL) {
        directory_source_release(worker->directories, worker->directory);
    }
    free(worker);
}

bool worker_is_running(const struct worker *worker)
{
    return atomic_load(&worker->running);
}

struct pipeline *worker_pipeline(const struct worker *worker)
{
    return worker->pipeline;
}

struct live_counters worker_capture_counters(const struct worker *worker)
{
    return live_counters(worker->live);
}

unsigned worker_interface_count(const struct worker *worker)
{
    return live_interface_count(worker->live);
}
