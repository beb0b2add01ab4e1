#include "agent/kube/directory_source.h"
#include "tests/unit/kube/world.h"

#include <pthread.h>
#include <stdatomic.h>

#define ADDRESSES 64
#define PUBLICATIONS 300
#define READERS 3

/* Directories that say one thing at every address: which publication they are. */
static void set_all(struct inventory *inventory, int64_t publication)
{
    for (unsigned i = 0; i < ADDRESSES; i++) {
        char name[32];
        char service[32];
        char address[32];
        snprintf(name, sizeof(name), "p%u", i);
        snprintf(service, sizeof(service), "s%lld", (long long)publication);
        snprintf(address, sizeof(address), "10.1.0.%u", i);
        const struct kube_object pod = objects_pod(&(struct pod_text){
            .name = name, .service_name = service, .uid = service, .addresses = {address}});
        assert_int_equal(inventory_set(inventory, &pod, publication), 0);
    }
}

static struct directory *make(struct inventory *inventory, int64_t publication)
{
    set_all(inventory, publication);
    struct directory *directory = inventory_directory(inventory);
    assert_non_null(directory);
    return directory;
}

/* Which publication the directory is; 0 when it is not one as a whole. */
static int64_t read_all(const struct directory *directory)
{
    int64_t publication = 0;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.1.0.%u", i);
        const struct endpoint endpoint = {objects_address(text), 80};
        struct workload workload;
        if (directory_find(directory, &endpoint, &workload) != DIRECTORY_KNOWN) {
            return 0;
        }
        snprintf(text, sizeof(text), "s%lld", (long long)workload.since_ns);
        if (!slice_equal(workload.service, slice_of(text)) ||
            (i > 0 && workload.since_ns != publication)) {
            return 0;
        }
        publication = workload.since_ns;
    }
    return publication;
}

static void test_versions_and_holding(void **state)
{
    struct world *world = *state;
    struct directory_source *source = directory_source_new(make(world->inventory, 1));
    assert_non_null(source);
    assert_int_equal(directory_source_version(source), 1);
    const struct directory *first = directory_source_acquire(source);
    const struct directory *again = directory_source_acquire(source);
    assert_ptr_equal(first, again);
    directory_source_publish(source, make(world->inventory, 2));
    assert_int_equal(directory_source_version(source), 2);
    const struct directory *second = directory_source_acquire(source);
    directory_source_publish(source, make(world->inventory, 3));
    directory_source_publish(source, make(world->inventory, 4));
    assert_int_equal(read_all(first), 1);
    directory_source_release(source, first);
    assert_int_equal(read_all(again), 1);
    assert_int_equal(read_all(second), 2);
    /* Names of directories that are held stay, however many come and go. */
    for (int64_t i = 5; i < 100; i++) {
        directory_source_publish(source, make(world->inventory, i));
    }
    assert_int_equal(read_all(again), 1);
    assert_int_equal(read_all(second), 2);
    directory_source_release(source, again);
    directory_source_publish(source, make(world->inventory, 100));
    assert_int_equal(read_all(second), 2);
    /* The source and the inventory may go first. */
    directory_source_free(source);
    inventory_free(world->inventory);
    world->inventory = NULL;
    assert_int_equal(read_all(second), 2);
    directory_source_release(source, second);
    directory_source_free(NULL);
}

struct reading {
    struct directory_source *source;
    uint64_t directories;
    bool wrong;
};

static void *read_until_the_last(void *argument)
{
    struct reading *reading = argument;
    const struct directory *directory = directory_source_acquire(reading->source);
    uint64_t version = 0;
    int64_t last = 0;
    while (last < PUBLICATIONS && !reading->wrong) {
        uint64_t newest = directory_source_version(reading->source);
        if (newest != version) {
            const struct directory *next = directory_source_acquire(reading->source);
            directory_source_release(reading->source, directory);
            directory = next;
            version = newest;
            reading->directories++;
        }
        int64_t publication = read_all(directory);
        reading->wrong = publication < last || publication == 0;
        last = publication;
    }
    directory_source_release(reading->source, directory);
    return NULL;
}

static void test_readers_while_publishing(void **state)
{
    struct world *world = *state;
    struct directory_source *source = directory_source_new(make(world->inventory, 1));
    assert_non_null(source);
    pthread_t threads[READERS];
    struct reading readings[READERS];
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.source = source};
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_the_last, &readings[i]), 0);
    }
    for (int64_t i = 2; i <= PUBLICATIONS; i++) {
        directory_source_publish(source, make(world->inventory, i));
    }
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(readings[i].wrong);
        assert_true(readings[i].directories > 0);
    }
    assert_int_equal(directory_source_version(source), PUBLICATIONS);
    directory_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_versions_and_holding),
        WORLD_TEST(test_readers_while_publishing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
