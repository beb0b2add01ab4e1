#include "agent/aggregate/aggregate.h"

#include "agent/aggregate/cell.h"
#include "agent/aggregate/families.h"
#include "agent/aggregate/feed.h"
#include "agent/aggregate/shard.h"
#include "agent/aggregate/snapshot.h"
#include "agent/aggregate/tally.h"

#include "exporters/metric_emit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* A tick further from the one before than this was a jump of the clock or a suspended machine. */
#define TICK_MAX_NS INT64_C(10000000000)
/* Labels beyond one per sample line: names that only connections refer to. */
#define LABELS_BESIDE 1024
/* Sample lines of a histogram beside its bounds': +Inf, _sum, _count. */
#define HISTOGRAM_LINES 3

/* 64 times 4^n up to 64 MiB. */
static const double size_buckets[] = {64,     256,     1024,    4096,     16384,   65536,
                                      262144, 1048576, 4194304, 16777216, 67108864};
#define SIZE_BUCKET_COUNT (sizeof(size_buckets) / sizeof(size_buckets[0]))

static int init_layouts(struct aggregate_shard *shard, const struct aggregate_options *options)
{
    int result = histogram_layout_init(&shard->durations, options->duration_buckets,
                                       options->duration_bucket_count, 1e9);
    if (result == 0) {
        result = histogram_layout_init(&shard->sizes, size_buckets, SIZE_BUCKET_COUNT, 1);
    }
    unsigned buckets =
        options->native_max_buckets == 0 ? HISTOGRAM_WINDOW : options->native_max_buckets;
    if (result == 0) {
        histogram_layout_resolve(&shard->durations, options->native_schema, buckets);
        histogram_layout_resolve(&shard->sizes, options->native_schema, buckets);
    }
    return result;
}

/* Without randomness only the protection against chosen collisions is lost. */
static uint64_t new_seed(void)
{
    uint64_t seed = 0;
    (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    return seed;
}

static int init_tables(struct aggregate_shard *shard)
{
    size_t durations = histogram_cells(&shard->durations);
    size_t sizes = histogram_cells(&shard->sizes);
    size_t cells = durations > sizes ? durations : sizes;
    uint64_t seed = new_seed();
    size_t bounds = shard->durations.bound_count < shard->sizes.bound_count
                        ? shard->durations.bound_count
                        : shard->sizes.bound_count;
    uint32_t histograms = shard->max_lines / (uint32_t)(bounds + HISTOGRAM_LINES);
    uint32_t labels = shard->max_lines > UINT32_MAX - LABELS_BESIDE
                          ? UINT32_MAX
                          : shard->max_lines + LABELS_BESIDE;
    int result = label_table_init(&shard->labels, labels, seed);
    if (result == 0) {
        result = series_table_init(&shard->histograms, cells, histograms, seed);
    }
    if (result == 0) {
        result = series_table_init(&shard->numbers, 2, shard->max_lines, seed);
    }
    if (result == 0) {
        result = tally_init(shard);
    }
    return result;
}

struct aggregate_shard *aggregate_shard_new(const struct aggregate_options *options,
                                            const struct directory *directory)
{
    struct aggregate_shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL) {
        return NULL;
    }
    shard->directory = directory;
    shard->directory_epoch = 1;
    shard->max_lines = options->max_series;
    shard->max_routes = options->max_routes_per_service;
    shard->body_sizes = options->body_sizes;
    shard->await_pods = options->await_pods;
    shard->await_peers = options->await_peers;
    shard->complete = !options->await_pods;
    shard->interface_since = options->interface_since;
    shard->interface_context = options->interface_context;
    shard->idle_limit_ns = options->series_idle_ns;
    if (init_layouts(shard, options) != 0 || init_tables(shard) != 0) {
        aggregate_shard_free(shard);
        return NULL;
    }
    shard->other_route = label_table_intern(&shard->labels, LABEL_NONE, slice_of("{other}"));
    return shard;
}

void aggregate_shard_free(struct aggregate_shard *shard)
{
    if (shard == NULL) {
        return;
    }
    tally_fini(shard);
    series_table_fini(&shard->numbers);
    series_table_fini(&shard->histograms);
    label_table_fini(&shard->labels);
    histogram_layout_fini(&shard->sizes);
    histogram_layout_fini(&shard->durations);
    free(shard);
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    feed_exchange(context, connection, exchange);
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    feed_event(context, connection, event);
}

struct exchange_sink aggregate_shard_sink(struct aggregate_shard *shard)
{
    return (struct exchange_sink){.context = shard, .exchange = on_exchange, .event = on_event};
}

uint64_t aggregate_shard_exchanges(const struct aggregate_shard *shard)
{
    return shard->exchanges;
}

void aggregate_shard_set_directory(struct aggregate_shard *shard, const struct directory *directory)
{
    shard->directory = directory;
    shard->directory_epoch++;
    if (shard->directory_epoch == 0) { /* 0 is a connection's "none yet" */
        shard->directory_epoch = 1;
    }
}

void aggregate_shard_tick(struct aggregate_shard *shard, int64_t now_ns)
{
    int64_t step = shard->now_ns == 0 ? 0 : now_ns - shard->now_ns;
    if (step > TICK_MAX_NS) {
        step = TICK_MAX_NS;
    }
    shard->clock_ns += step > 0 ? step : 0;
    shard->now_ns = now_ns;
    shard_sweep(shard);
}

/* What the shards say about themselves. */
static void write_self(struct aggregate_shard *const *shards, size_t count,
                       const struct metric_sink *sink)
{
    uint64_t lines = 0;
    uint64_t rejected = 0;
    uint64_t routes = 0;
    for (size_t i = 0; i < count; i++) {
        lines += cell_get(&shards[i]->lines);
        rejected += cell_get(&shards[i]->rejected);
        routes += cell_get(&shards[i]->routes_rejected);
    }
    metric_emit_gauge(sink, "vethscope_series",
                      "Sample lines that the workers' series tables hold; a histogram counts with "
                      "all its lines.",
                      (double)lines);
    metric_emit_counter(sink, "vethscope_series_rejected_total",
                        "Observations that were not counted because their series found no room.",
                        rejected);
    metric_emit_counter(sink, "vethscope_routes_rejected_total",
                        "Exchanges counted under the route {other} because their service had too "
                        "many routes, or because the route was too long.",
                        routes);
}

static void write_unnamed(struct aggregate_shard *const *shards, size_t count,
                          const struct metric_sink *sink)
{
    static const struct metric_family family = {
        .name = "vethscope_unnamed_exchanges_total",
        .help = "Exchanges reported with the name unknown for a pod's address behind which nobody "
                "was found in time.",
        .unit = "",
        .type = METRIC_COUNTER};
    sink->family(sink->context, &family);
    for (enum naming_reason reason = 0; reason < NAMING_REASONS; reason++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += cell_get(&shards[i]->unnamed[reason]);
        }
        struct metric_label label = {"reason", text_of(naming_reason_name(reason))};
        struct metric_point point = {.labels = &label, .label_count = 1, .value = (double)sum};
        sink->point(sink->context, &point);
    }
}

int aggregate_write(struct aggregate_shard *const *shards, size_t count,
                    const struct metric_sink *sink)
{
    struct snapshot snapshot;
    int result = snapshot_take(&snapshot, shards, count);
    if (result == 0) {
        result = families_write(&snapshot, sink);
    }
    if (result == 0) {
        write_self(shards, count, sink);
    }
    if (result == 0 && count > 0 && shards[0]->await_pods) {
        write_unnamed(shards, count, sink);
    }
    snapshot_fini(&snapshot);
    return result;
}
