/* What the metrics cost: an exchange counted by a worker, a scrape in each format, and how long a
 * worker stands still while it is scraped. Beside each number what it is to be at most. */
#include "agent/aggregate/aggregate.h"
#include "agent/aggregate/histogram.h"
#include "exporters/prometheus/exposition.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SERVICES = 50,
    /* Lines of a series of requests: 17 bounds, +Inf, _sum and _count. */
    LINES_PER_ROUTE = 20,
    FEED_ROUNDS = 11,
    FEEDS_PER_ROUND = 200000,
    SCRAPE_ROUNDS = 7,
    /* Exchanges between two looks at the clock. */
    BATCH = 16,
    TURNS = 41,
    TURN_US = 50000, /* as long as a scrape, without one */
    ROUTE_SIZE = 40,
};

#define NS_PER_SECOND INT64_C(1000000000)

static const double duration_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                          0.5,   0.75,   1,     2.5,  5,     7.5,  10,    30};

/* A shard, and connections to feed it over. */
struct scene {
    struct aggregate_shard *shard;
    struct exchange_sink sink;
    struct connection connections[SERVICES];
    char (*texts)[ROUTE_SIZE];
    unsigned routes; /* of each service */
    uint64_t fed;
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_scrape: %s\n", what);
    exit(1);
}

static struct endpoint endpoint_of(unsigned service, uint16_t port)
{
    const uint8_t bytes[] = {10, 0, (uint8_t)(service >> 8), (uint8_t)service};
    return (struct endpoint){.address = address_from_ipv4(bytes), .port = port};
}

/* Durations from about 0.1 ms to 1 s, as a multiplicative sequence spreads them. */
static uint64_t duration_of(uint64_t number)
{
    uint64_t bits = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
    return UINT64_C(100000) << (bits % 13) | (bits >> 4 & 0xffff);
}

static void feed(struct scene *scene, bool traced)
{
    uint64_t number = scene->fed++;
    struct connection *connection = &scene->connections[number % SERVICES];
    const char *route = scene->texts[number / SERVICES % scene->routes];
    int64_t start = 1769860800 * NS_PER_SECOND + (int64_t)number * 1000;
    int64_t duration = (int64_t)duration_of(number);
    struct exchange exchange = {.start_ns = start,
                                .request_end_ns = start + 1000,
                                .response_start_ns = start + duration - 1000,
                                .response_end_ns = start + duration,
                                .connect_server_ns = EXCHANGE_TIME_UNKNOWN,
                                .connect_client_ns = EXCHANGE_TIME_UNKNOWN,
                                .method = slice_of("GET"),
                                .route = slice_of(route),
                                .status = 200,
                                .outcome = EXCHANGE_COMPLETE};
    if (traced) {
        exchange.trace_id = slice_of("0af7651916cd43dd8448eb211c80319c");
    }
    scene->sink.exchange(scene->sink.context, connection, &exchange);
}

static void scene_init(struct scene *scene, unsigned lines)
{
    const struct aggregate_options options = {.duration_buckets = duration_buckets,
                                              .duration_bucket_count = sizeof(duration_buckets) /
                                                                       sizeof(duration_buckets[0]),
                                              .max_series = lines * 2,
                                              .series_idle_ns = 3600 * NS_PER_SECOND,
                                              .native_schema = HISTOGRAM_SCHEMA};
    *scene = (struct scene){.shard = aggregate_shard_new(&options, NULL)};
    scene->routes = lines / LINES_PER_ROUTE / SERVICES;
    scene->texts = calloc(scene->routes, ROUTE_SIZE);
    if (scene->shard == NULL || scene->texts == NULL) {
        fail("out of memory");
    }
    for (unsigned i = 0; i < scene->routes; i++) {
        snprintf(scene->texts[i], ROUTE_SIZE, "/api/v1/things-%u/{id}", i);
    }
    scene->sink = aggregate_shard_sink(scene->shard);
    for (unsigned i = 0; i < SERVICES; i++) {
        scene->connections[i] = (struct connection){.client = endpoint_of(1000, 40000),
                                                    .server = endpoint_of(i, 80),
                                                    .side = EXCHANGE_SERVER};
    }
    for (unsigned i = 0; i < SERVICES * scene->routes * 10; i++) {
        feed(scene, true);
    }
}

static void scene_fini(struct scene *scene)
{
    aggregate_shard_free(scene->shard);
    free(scene->texts);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), compare);
    return values[count / 2];
}

/* ---- an exchange ---- */

/* What the instructions are counted of; called by this name only. */
__attribute__((noinline)) static void feed_round(struct scene *scene, bool traced)
{
    for (int i = 0; i < FEEDS_PER_ROUND; i++) {
        feed(scene, traced);
    }
}

static void measure_feed(struct scene *scene, const char *name, bool traced)
{
    double ns[FEED_ROUNDS];
    for (int i = 0; i < FEED_ROUNDS; i++) {
        int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        feed_round(scene, traced);
        ns[i] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / FEEDS_PER_ROUND;
    }
    printf("%-26s %8.0f ns\n", name, median(ns, FEED_ROUNDS));
}

/* Becomes this program under callgrind, its messages going to `output`. */
static void run_callgrind(int output, const char *folder, const char *way)
{
    char file[64];
    char program[512] = "";
    snprintf(file, sizeof(file), "--callgrind-out-file=%s/out", folder);
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0 &&
        dup2(output, STDERR_FILENO) >= 0) {
        execlp("valgrind", "valgrind", "--tool=callgrind", file, "--toggle-collect=feed_round*",
               program, way, (char *)NULL);
    }
    _exit(1);
}

/* The number behind "Collected :", 0 when there is none. */
static uint64_t read_collected(int input)
{
    char text[65536];
    size_t length = 0;
    ssize_t got;
    while ((got = read(input, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    const char *found = strstr(text, "Collected : ");
    return found == NULL ? 0 : strtoull(strchr(found, ':') + 1, NULL, 10);
}

/* The machine's own counters are often not for programs to read: valgrind counts. */
static void measure_instructions(const char *way)
{
    char folder[] = "/tmp/bench_scrape.XXXXXX";
    char file[64];
    int ends[2];
    if (mkdtemp(folder) == NULL || pipe(ends) != 0) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        run_callgrind(ends[1], folder, way);
    }
    close(ends[1]);
    uint64_t collected = read_collected(ends[0]);
    close(ends[0]);
    waitpid(child, NULL, 0);
    snprintf(file, sizeof(file), "%s/out", folder);
    unlink(file);
    rmdir(folder);
    if (collected > 0) {
        printf("%-26s %8.0f instructions\n", "", (double)collected / FEEDS_PER_ROUND);
    }
}

/* ---- a scrape ---- */

static const struct exposition_options ways[] = {
    {.format = EXPOSITION_TEXT},
    {.format = EXPOSITION_OPENMETRICS},
    {.format = EXPOSITION_PROTOBUF},
    {.format = EXPOSITION_PROTOBUF, .native = true},
    {.format = EXPOSITION_TEXT, .gzip = true},
    {.format = EXPOSITION_OPENMETRICS, .gzip = true},
    {.format = EXPOSITION_PROTOBUF, .native = true, .gzip = true},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static size_t scrape(const struct scene *scene, const struct exposition_options *how)
{
    struct byte_writer out;
    byte_writer_init(&out);
    struct exposition *exposition = exposition_new(how, &out);
    if (exposition == NULL) {
        fail("out of memory");
    }
    struct metric_sink sink = exposition_sink(exposition);
    int result = aggregate_write(&scene->shard, 1, &sink);
    if (exposition_finish(exposition) != 0 || result != 0) {
        fail("a scrape failed");
    }
    size_t length = out.length;
    byte_writer_fini(&out);
    return length;
}

static void measure_scrapes(const struct scene *scene, unsigned lines, double target_ms)
{
    for (size_t i = 0; i < WAYS; i++) {
        double ms[SCRAPE_ROUNDS];
        size_t length = 0;
        for (int round = 0; round < SCRAPE_ROUNDS; round++) {
            int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
            length = scrape(scene, &ways[i]);
            ms[round] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1e6;
        }
        printf("%6u lines  %-11s %-6s %-4s %8.1f ms  (at most %.0f)  %9zu bytes\n", lines,
               exposition_format_name(ways[i].format), ways[i].native ? "native" : "",
               ways[i].gzip ? "gzip" : "", median(ms, SCRAPE_ROUNDS), target_ms, length);
    }
}

/* ---- a worker beside a scrape ---- */

struct worker {
    struct scene *scene;
    atomic_bool stop;
    _Atomic int64_t longest_cpu_ns; /* of a batch since it was last asked, on the processor */
    _Atomic int64_t longest_ns;     /* on the wall, waiting for a processor included */
    uint64_t batches;
};

static void note_longest(_Atomic int64_t *longest, int64_t pause)
{
    if (pause > atomic_load_explicit(longest, memory_order_relaxed)) {
        atomic_store_explicit(longest, pause, memory_order_relaxed);
    }
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t wall = clock_ns(CLOCK_MONOTONIC);
    while (!atomic_load(&worker->stop)) {
        for (int i = 0; i < BATCH; i++) {
            feed(worker->scene, true);
        }
        int64_t cpu_now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        int64_t wall_now = clock_ns(CLOCK_MONOTONIC);
        note_longest(&worker->longest_cpu_ns, cpu_now - cpu);
        note_longest(&worker->longest_ns, wall_now - wall);
        cpu = cpu_now;
        wall = wall_now;
        worker->batches++;
    }
    return NULL;
}

static int compare_pauses(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* The longest pause of each scrape's time. What a scrape does to the worker it does each time, so
 * the median tells it; what the machine does shows in the longest of all, and without scrapes. */
static void measure_stall(struct scene *scene, const char *name,
                          const struct exposition_options *how)
{
    struct worker worker = {.scene = scene};
    pthread_t thread;
    int64_t pauses[TURNS];
    int64_t longest_ns = 0;
    if (pthread_create(&thread, NULL, run_worker, &worker) != 0) {
        fail("no thread");
    }
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    for (int turn = 0; turn < TURNS; turn++) {
        if (how == NULL) {
            usleep(TURN_US);
        } else {
            scrape(scene, how);
        }
        pauses[turn] = atomic_exchange(&worker.longest_cpu_ns, 0);
        int64_t wall_ns = atomic_exchange(&worker.longest_ns, 0);
        longest_ns = wall_ns > longest_ns ? wall_ns : longest_ns;
    }
    atomic_store(&worker.stop, true);
    pthread_join(thread, NULL);
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start) / (double)NS_PER_SECOND;
    qsort(pauses, TURNS, sizeof(pauses[0]), compare_pauses);
    int64_t median_ns = pauses[TURNS / 2];
    printf(
        "%-20s %6.2f million exchanges/s  longest pause in a scrape: median %6.3f ms (at most 1), "
        "of all %6.3f, on the wall %7.3f\n",
        name, (double)worker.batches * BATCH / seconds / 1e6, (double)median_ns / 1e6,
        (double)pauses[TURNS - 1] / 1e6, (double)longest_ns / 1e6);
}

int main(int argc, char **argv)
{
    static struct scene scene;
    scene_init(&scene, 10000);
    if (argc >
        1) { /* "plain" or "traced": one round alone, as for callgrind; a third word: timed */
        int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        feed_round(&scene, strcmp(argv[1], "traced") == 0);
        if (argc > 2) {
            int64_t spent = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
            printf("%.0f ns\n", (double)spent / FEEDS_PER_ROUND);
        }
        scene_fini(&scene);
        return 0;
    }
    measure_feed(&scene, "exchange", false);
    measure_instructions("plain");
    measure_feed(&scene, "exchange with a trace id", true);
    measure_instructions("traced");
    measure_scrapes(&scene, 10000, 20);
    scene_fini(&scene);
    scene_init(&scene, 100000);
    measure_scrapes(&scene, 100000, 500);
    measure_stall(&scene, "worker alone", NULL);
    for (size_t i = 0; i < WAYS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "beside %s%s", exposition_format_name(ways[i].format),
                 ways[i].gzip ? " gzip" : "");
        if (ways[i].native || ways[i].format != EXPOSITION_PROTOBUF) {
            measure_stall(&scene, name, &ways[i]);
        }
    }
    scene_fini(&scene);
    return 0;
}
