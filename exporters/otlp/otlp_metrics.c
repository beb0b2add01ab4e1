#include "exporters/otlp/otlp_metrics.h"

#include "exporters/otlp/otlp_points.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * One thread takes the set at each interval and puts its points into the queue; the channel's
 * thread sends them. So a receiver that does not answer delays no report, and holds no snapshot of
 * the series: its points are in the queue, or counted as lost.
 */

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)

struct otlp_metrics {
    struct otlp_metrics_options options;
    struct exporter_health health;
    struct otlp_channel *channel;
    struct otlp_points *points;
    struct byte_writer agent;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under the lock */
    pthread_t thread;
    bool started;
};

static int64_t wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static void emit(void *context, const struct text *parts, size_t count)
{
    struct otlp_metrics *metrics = context;
    sender_append(otlp_channel_sender(metrics->channel), parts, count);
}

static void lose(void *context)
{
    struct otlp_metrics *metrics = context;
    exporter_health_add(&metrics->health.accepted, 1);
    exporter_health_lose(&metrics->health, EXPORTER_LOSS_MEMORY, 1);
}

static void report(struct otlp_metrics *metrics)
{
    struct metric_sink sink = otlp_points_begin(metrics->points, wall_clock_ns());
    if (metrics->options.render(metrics->options.context, &sink) == 0) {
        otlp_points_end(metrics->points);
    }
    sender_commit(otlp_channel_sender(metrics->channel));
}

/* True: it is time for the next report; false: to end. */
static bool wait_until(struct otlp_metrics *metrics, int64_t until_ns)
{
    struct timespec until = {until_ns / NS_PER_SECOND, until_ns % NS_PER_SECOND};
    pthread_mutex_lock(&metrics->lock);
    int status = 0;
    while (status == 0 && !metrics->stopping) {
        status = pthread_cond_timedwait(&metrics->wake, &metrics->lock, &until);
    }
    bool goes_on = !metrics->stopping;
    pthread_mutex_unlock(&metrics->lock);
    return goes_on;
}

static void *thread_main(void *context)
{
    struct otlp_metrics *metrics = context;
    int64_t interval_ns = metrics->options.interval_ms * NS_PER_MS;
    int64_t next = sender_now_ns() + interval_ns;
    while (wait_until(metrics, next)) {
        report(metrics);
        /* A report that was late does not make the next ones follow each other at once. */
        int64_t now = sender_now_ns();
        next = next + interval_ns > now ? next + interval_ns : now + interval_ns;
    }
    report(metrics);
    return NULL;
}

/* ---- life ---- */

static bool open_points(struct otlp_metrics *metrics, const struct otlp_options *options)
{
    otlp_resource_append_agent(&metrics->agent, &options->agent, &options->extras);
    struct otlp_points_options points = {
        .agent_resource = {metrics->agent.data, metrics->agent.length},
        .explicit_buckets = metrics->options.explicit_buckets,
        .delta = metrics->options.delta,
        .max_series = metrics->options.max_series,
        .start_ns = wall_clock_ns(),
        .extras = options->extras,
        .emit = emit,
        .lose = lose,
        .context = metrics};
    metrics->points = metrics->agent.failed ? NULL : otlp_points_new(&points);
    return metrics->points != NULL;
}

static void init_lock(struct otlp_metrics *metrics)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_cond_init(&metrics->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct otlp_metrics *otlp_metrics_new(const struct otlp_options *options,
                                      const struct otlp_metrics_options *metrics_options,
                                      char error_out[static OUTBOX_ERROR_SIZE])
{
    struct otlp_metrics *metrics = calloc(1, sizeof(*metrics));
    snprintf(error_out, OUTBOX_ERROR_SIZE, "out of memory");
    if (metrics == NULL) {
        return NULL;
    }
    metrics->options = *metrics_options;
    metrics->health.exporter = "otlp_metrics";
    init_lock(metrics);
    if (open_points(metrics, options)) {
        metrics->channel = otlp_channel_new(options, metrics_options->url, &metrics->health,
                                            otlp_points_families(metrics->points), error_out);
    }
    if (metrics->channel == NULL) {
        otlp_metrics_free(metrics);
        return NULL;
    }
    return metrics;
}

int otlp_metrics_start(struct otlp_metrics *metrics)
{
    int status = sender_start(otlp_channel_sender(metrics->channel));
    if (status == 0) {
        status = -pthread_create(&metrics->thread, NULL, thread_main, metrics);
        metrics->started = status == 0;
    }
    return status;
}

const struct exporter_health *otlp_metrics_health(const struct otlp_metrics *metrics)
{
    return &metrics->health;
}

void otlp_metrics_order_stop(struct otlp_metrics *metrics, int64_t deadline_ns)
{
    if (metrics->started) {
        pthread_mutex_lock(&metrics->lock);
        metrics->stopping = true;
        pthread_cond_signal(&metrics->wake);
        pthread_mutex_unlock(&metrics->lock);
        pthread_join(metrics->thread, NULL);
        metrics->started = false;
    }
    sender_order_stop(otlp_channel_sender(metrics->channel), deadline_ns);
}

void otlp_metrics_stop(struct otlp_metrics *metrics)
{
    otlp_metrics_order_stop(metrics, 0);
    sender_stop(otlp_channel_sender(metrics->channel));
}

void otlp_metrics_free(struct otlp_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    if (metrics->channel != NULL) {
        otlp_metrics_stop(metrics);
    }
    otlp_channel_free(metrics->channel);
    otlp_points_free(metrics->points);
    byte_writer_fini(&metrics->agent);
    pthread_cond_destroy(&metrics->wake);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}
