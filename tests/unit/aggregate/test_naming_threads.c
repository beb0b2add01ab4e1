/* A worker takes directory after directory while another thread publishes them and a third one
 * scrapes: no exchange is lost, no name is half of two, and (under the sanitizers) nobody looks
 * into a directory that is gone. */
#include "agent/aggregate/naming.h"
#include "agent/kube/directory_source.h"
#include "tests/unit/aggregate/scene.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define CONNECTIONS 20000
#define EXCHANGES 3
/* Connections between two looks at the source. */
#define BATCH 16
/* Of names, which come round. */
#define NAMES 26

struct stage {
    struct directory_source *source;
    struct aggregate_shard *shard;
    struct naming *naming;
    const struct directory *directory; /* the worker's */
    uint64_t version;
    unsigned swaps;
    atomic_bool done;
    atomic_uint torn;
};

/* One letter, as often as it says: "a", "bb", ...; every third directory knows nobody. */
static struct directory *directory_of(unsigned number)
{
    char service[NAMES + 1] = "";
    unsigned length = number % NAMES + 1;
    memset(service, 'a' + (int)length - 1, length);
    struct directory_entry entry = {.address = scene_endpoint("10.0.0.2:80").address,
                                    .prefix_bits = 128,
                                    .namespace = "",
                                    .service = service};
    struct directory *directory = directory_new(&entry, number % 3 == 0 ? 0 : 1);
    assert_non_null(directory);
    return directory;
}

static void *publish_all_the_time(void *context)
{
    struct stage *stage = context;
    for (unsigned number = 1; !atomic_load(&stage->done); number++) {
        directory_source_publish(stage->source, directory_of(number));
    }
    return NULL;
}

static bool is_whole(struct text name)
{
    if (name.length == strlen("unknown") && memcmp(name.data, "unknown", name.length) == 0) {
        return true;
    }
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] != 'a' + (int)name.length - 1) {
            return false;
        }
    }
    return name.length > 0;
}

static void on_family(void *context, const struct metric_family *family)
{
    (void)context;
    (void)family;
}

static void on_point(void *context, const struct metric_point *point)
{
    struct stage *stage = context;
    for (size_t i = 0; i < point->label_count; i++) {
        if (strcmp(point->labels[i].name, "service_name") == 0 &&
            !is_whole(point->labels[i].value)) {
            atomic_fetch_add(&stage->torn, 1);
        }
    }
}

static void *scrape_all_the_time(void *context)
{
    struct stage *stage = context;
    const struct metric_sink sink = {stage, on_family, on_point};
    while (!atomic_load(&stage->done)) {
        if (aggregate_write(&stage->shard, 1, &sink) != 0) {
            atomic_fetch_add(&stage->torn, 1);
        }
    }
    return NULL;
}

/* As the agent's worker does between two batches. */
static void follow(struct stage *stage)
{
    if (directory_source_version(stage->source) == stage->version) {
        return;
    }
    const struct directory *former = stage->directory;
    stage->version = directory_source_version(stage->source);
    stage->directory = directory_source_acquire(stage->source);
    naming_set_directory(stage->naming, stage->directory);
    directory_source_release(stage->source, former);
    stage->swaps++;
}

static void tell(struct exchange_sink sink, struct connection *connection,
                 enum connection_event_kind kind)
{
    const struct connection_event event = {.kind = kind, .amount = 1, .method = slice_of("GET")};
    sink.event(sink.context, connection, &event);
}

static void talk(struct stage *stage, unsigned number)
{
    struct exchange_sink sink = naming_sink(stage->naming);
    struct connection connection =
        scene_connection(EXCHANGE_SERVER, "10.0.0.1:40000", "10.0.0.2:80");
    struct exchange exchange = scene_exchange("/a", 200);
    tell(sink, &connection, CONNECTION_OPENED);
    for (unsigned i = 0; i < EXCHANGES; i++) {
        tell(sink, &connection, CONNECTION_REQUEST_BEGAN);
        tell(sink, &connection, CONNECTION_REQUEST_ENDED);
        sink.exchange(sink.context, &connection, &exchange);
        if ((number + i) % BATCH == 0) {
            naming_tick(stage->naming, (int64_t)number * SECOND / 100);
            follow(stage);
        }
    }
    tell(sink, &connection, CONNECTION_CLOSED);
}

static void open_stage(struct stage *stage)
{
    struct aggregate_options options = scene_options();
    options.await_pods = true;
    stage->source = directory_source_new(directory_of(0));
    assert_non_null(stage->source);
    stage->version = directory_source_version(stage->source);
    stage->directory = directory_source_acquire(stage->source);
    stage->shard = aggregate_shard_new(&options, stage->directory);
    assert_non_null(stage->shard);
    struct exchange_sink next = aggregate_shard_sink(stage->shard);
    struct naming_options naming = {
        .shard = stage->shard, .hold_ns = SECOND, .memory_bytes = 1 << 20};
    stage->naming = naming_new(&naming, &next);
    assert_non_null(stage->naming);
    naming_set_complete(stage->naming);
}

static void close_stage(struct stage *stage)
{
    naming_free(stage->naming);
    aggregate_shard_free(stage->shard);
    directory_source_release(stage->source, stage->directory);
    directory_source_free(stage->source);
}

/* Sums up what the servers answered. */
struct sum {
    const char *family;
    uint64_t requests;
};

static void sum_family(void *context, const struct metric_family *family)
{
    ((struct sum *)context)->family = family->name;
}

static void sum_point(void *context, const struct metric_point *point)
{
    struct sum *sum = context;
    if (strcmp(sum->family, "http_server_request_duration_seconds") == 0) {
        sum->requests += point->histogram.count;
    }
}

static uint64_t requests(struct aggregate_shard *shard)
{
    struct sum sum = {.family = ""};
    const struct metric_sink sink = {&sum, sum_family, sum_point};
    assert_int_equal(aggregate_write(&shard, 1, &sink), 0);
    return sum.requests;
}

static void directories_change_under_load(void **state)
{
    (void)state;
    static struct stage stage;
    pthread_t publisher;
    pthread_t scraper;
    open_stage(&stage);
    assert_int_equal(pthread_create(&publisher, NULL, publish_all_the_time, &stage), 0);
    assert_int_equal(pthread_create(&scraper, NULL, scrape_all_the_time, &stage), 0);
    unsigned connections = 0;
    for (; connections < CONNECTIONS || stage.swaps < NAMES; connections++) {
        talk(&stage, connections);
    }
    atomic_store(&stage.done, true);
    pthread_join(publisher, NULL);
    pthread_join(scraper, NULL);
    naming_finish(stage.naming);
    assert_int_equal(atomic_load(&stage.torn), 0);
    assert_int_equal(requests(stage.shard), (uint64_t)connections * EXCHANGES);
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_change_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
