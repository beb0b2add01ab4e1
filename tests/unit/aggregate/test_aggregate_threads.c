#include "tests/unit/aggregate/scene.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define EXCHANGES 40000
#define READERS 2

/*
 * One worker feeds, ticks and lets series expire and be made anew while other threads write
 * expositions. What they see must be whole: every histogram adds up, every label is one of the
 * worker's, every duration is the one that was fed. Under ThreadSanitizer this is also where a data
 * race would show.
 */
struct stage {
    struct aggregate_shard *shard;
    atomic_bool done;
    pthread_barrier_t start;
};

/* What one reader checks while it reads. */
struct reader {
    struct stage *stage;
    size_t points;
    size_t torn;
    const char *family;
};

static void on_family(void *context, const struct metric_family *family)
{
    ((struct reader *)context)->family = family->name;
}

static bool label_is_whole(const struct metric_label *label)
{
    if (strcmp(label->name, "http_route") == 0) {
        /* "/rrr...": one letter, 20 to 45 times, by the letter. */
        char letter = label->value.data[1];
        size_t length = (size_t)(letter - 'a') + 20;
        for (size_t i = 1; i < label->value.length; i++) {
            if (label->value.data[i] != letter) {
                return false;
            }
        }
        return label->value.length == length + 1;
    }
    if (strcmp(label->name, "service_name") == 0) {
        return label->value.length == strlen("10.0.0.2:80") &&
               memcmp(label->value.data, "10.0.0.", 7) == 0;
    }
    return true;
}

/* Each duration of a series is 2 ms: sum and counts tell the same number of exchanges, which is 0
 * in a series that was just made. */
static bool histogram_is_whole(const struct metric_histogram *histogram)
{
    uint64_t exponential = histogram->exponential->zero_count;
    for (size_t i = 0; i < histogram->exponential->count; i++) {
        exponential += histogram->exponential->counts[i];
    }
    return exponential == histogram->count && histogram->bucket_counts[1] == histogram->count &&
           histogram->count == (uint64_t)llround(histogram->sum / 0.002);
}

static void on_point(void *context, const struct metric_point *point)
{
    struct reader *reader = context;
    reader->points++;
    for (size_t i = 0; i < point->label_count; i++) {
        reader->torn += !label_is_whole(&point->labels[i]);
    }
    if (strcmp(reader->family, "http_server_request_duration_seconds") == 0) {
        reader->torn += !histogram_is_whole(&point->histogram);
    }
}

static void *read_all_the_time(void *context)
{
    struct reader *reader = context;
    const struct metric_sink sink = {reader, on_family, on_point};
    pthread_barrier_wait(&reader->stage->start);
    do {
        if (aggregate_write(&reader->stage->shard, 1, &sink) != 0) {
            reader->torn++;
        }
    } while (!atomic_load(&reader->stage->done));
    return NULL;
}

static void feed(struct aggregate_shard *shard, uint32_t number)
{
    char server[] = "10.0.0.2:80";
    char route[64] = "/";
    server[7] = (char)('2' + number % 4);
    char letter = (char)('a' + number / 7 % 26);
    memset(route + 1, letter, (size_t)(letter - 'a') + 20);
    struct connection connection = scene_connection(EXCHANGE_SERVER, "10.0.0.1:1", server);
    struct exchange exchange = scene_exchange(route, 200);
    scene_event(shard, &connection, CONNECTION_REQUEST_BEGAN, 0);
    scene_event(shard, &connection, CONNECTION_REQUEST_ENDED, 0);
    scene_feed(shard, &connection, &exchange);
    scene_event(shard, &connection, CONNECTION_CLOSED, 0);
}

static void work(struct aggregate_shard *shard)
{
    int64_t now_ns = SECOND;
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        feed(shard, i);
        if (i % 8 == 0) { /* series live for two ticks: they come and go all the time */
            now_ns += SECOND;
            aggregate_shard_tick(shard, now_ns);
        }
    }
}

static void test_readers_beside_the_worker(void **state)
{
    (void)state;
    struct aggregate_options options = scene_options();
    options.series_idle_ns = 2 * SECOND;
    struct stage stage = {.shard = aggregate_shard_new(&options, NULL)};
    struct reader readers[READERS] = {{.stage = &stage}, {.stage = &stage}};
    pthread_t threads[READERS];
    assert_non_null(stage.shard);
    pthread_barrier_init(&stage.start, NULL, READERS + 1);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &readers[i]), 0);
    }
    pthread_barrier_wait(&stage.start);
    work(stage.shard);
    atomic_store(&stage.done, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(readers[i].points > 0);
        assert_int_equal(readers[i].torn, 0);
    }
    pthread_barrier_destroy(&stage.start);
    aggregate_shard_free(stage.shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
