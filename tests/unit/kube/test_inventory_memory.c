#include "tests/unit/kube/world.h"

/*
 * Every allocation of a small story fails once: nothing is lost but what could not be told, and
 * telling it again makes it right. The linker leads the allocations of the room here.
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static long allocations_left = -1; /* negative: any number */

static bool allowed(void)
{
    if (allocations_left == 0) {
        allocations_left = -1;
        return false;
    }
    if (allocations_left > 0) {
        allocations_left--;
    }
    return true;
}

void *__wrap_malloc(size_t size)
{
    return allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allowed() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allowed() ? __real_realloc(memory, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allowed() ? __real_aligned_alloc(alignment, size) : NULL;
}

#define PODS 40 /* more than the first chains hold */

/* Returns whether everything could be told. */
static bool tell(struct inventory *inventory)
{
    int status = 0;
    struct kube_object object = objects_node(
        &(struct node_text){.name = "n1", .addresses = {"172.16.0.1"}, .ranges = {"10.1.0.0/24"}});
    status |= inventory_set(inventory, &object, 1);
    for (unsigned i = 0; i < PODS; i++) {
        char name[16];
        char address[16];
        snprintf(name, sizeof(name), "p-%u", i);
        snprintf(address, sizeof(address), "10.1.0.%u", i);
        object = objects_pod(&(struct pod_text){
            .name = name, .owner_kind = "Job", .owner = "j", .addresses = {address}});
        status |= inventory_set(inventory, &object, 2);
    }
    object = objects_pod(&(struct pod_text){
        .name = "host", .addresses = {"172.16.0.1"}, .ports = {9100}, .host_network = true});
    status |= inventory_set(inventory, &object, 3);
    object = objects_service(
        &(struct service_text){.name = "web", .addresses = {"10.96.0.1"}, .ports = {{80, 30080}}});
    status |= inventory_set(inventory, &object, 4);
    object =
        objects_slice(&(struct slice_text){.name = "web-1",
                                           .service = "web",
                                           .endpoints = {{"10.1.0.1", "p-1"}, {"10.1.0.2", "p-2"}},
                                           .ports = {8080}});
    status |= inventory_set(inventory, &object, 5);
    object = objects_owner(
        &(struct owner_text){.kind = KUBE_JOB, .name = "j", .owner_kind = "CronJob", .owner = "c"});
    status |= inventory_set(inventory, &object, 6);
    object = objects_owner(
        &(struct owner_text){.kind = KUBE_NAMESPACE, .name = "shop", .service_namespace = "mall"});
    status |= inventory_set(inventory, &object, 7);
    return status == 0;
}

static void check(const struct directory *directory)
{
    static const char *const expected[][2] = {
        {"10.1.0.1", "mall/c CronJob by shop/web pod p-1 since 2"},
        {"10.1.0.39", "mall/c CronJob pod p-39 since 2"},
        {"10.1.0.99", "awaited"},
        {"10.96.0.1", "awaited"},
        {"172.16.0.1", "/n1 Node node n1 since 1"},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_string_equal(objects_find(directory, expected[i][0], 8080), expected[i][1]);
    }
    assert_string_equal(objects_find(directory, "10.96.0.1", 80),
                        "mall/c CronJob by shop/web since 4");
    assert_string_equal(objects_find(directory, "172.16.0.1", 30080),
                        "mall/c CronJob by shop/web node n1 since 1");
    assert_string_equal(objects_find(directory, "172.16.0.1", 9100),
                        "mall/host Pod pod host since 3");
}

/* Returns whether no allocation failed. */
static bool tell_once(long allocations)
{
    allocations_left = allocations;
    struct inventory *inventory = inventory_new(&(struct inventory_options){.names = NULL});
    if (inventory == NULL) {
        return false;
    }
    bool told = tell(inventory);
    struct directory *first = inventory_directory(inventory);
    struct directory *second = inventory_directory(inventory);
    bool untouched = allocations_left > 0;
    allocations_left = -1;
    directory_free(first);
    assert_true(told || !untouched);
    assert_true(tell(inventory));
    struct directory *third = inventory_directory(inventory);
    assert_non_null(third);
    check(third);
    inventory_free(inventory);
    directory_free(second);
    directory_free(third);
    return untouched;
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    long allocations = 0;
    while (!tell_once(allocations)) {
        allocations++;
    }
    assert_in_range(allocations, 20, 1000);
}

static void test_configured_names(void **state)
{
    (void)state;
    const struct directory_entry entry = {objects_address("10.0.0.1"), 128, 0, "shop", "web"};
    struct directory *directory = NULL;
    long allocations = 0;
    for (; directory == NULL; allocations++) {
        allocations_left = allocations;
        directory = directory_new(&entry, 1);
    }
    allocations_left = -1;
    assert_in_range(allocations, 5, 50);
    assert_string_equal(objects_find(directory, "10.0.0.1", 80), "shop/web");
    directory_free(directory);
}

/* Returns how many of these pods could be told before the bound, or all. */
static unsigned tell_pods(struct inventory *inventory, const char *prefix, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        char address[ADDRESS_TEXT_SIZE];
        snprintf(name, sizeof(name), "%s-%u", prefix, i);
        snprintf(address, sizeof(address), "10.%u.%u.%u", 1 + (i >> 16), i >> 8 & 255, i & 255);
        struct kube_object object =
            objects_pod(&(struct pod_text){.name = name, .addresses = {address}});
        if (inventory_set(inventory, &object, 2) != 0) {
            return i;
        }
    }
    return count;
}

static void expect_pod(struct inventory *inventory, const char *address, const char *expected)
{
    struct directory *directory = inventory_directory(inventory);
    assert_non_null(directory);
    assert_string_equal(objects_find(directory, address, 80), expected);
    directory_free(directory);
}

/* Objects without end: those that came first stay, and what goes makes room. */
static void test_there_is_a_bound(void **state)
{
    (void)state;
    struct inventory *inventory =
        inventory_new(&(struct inventory_options){.memory_bytes = (size_t)8 << 20});
    assert_non_null(inventory);
    unsigned told = tell_pods(inventory, "first", 1000000);
    assert_in_range(told, 10000, 100000);
    assert_int_equal(tell_pods(inventory, "other", 1000), 0);
    expect_pod(inventory, "10.1.39.16", "shop/first-10000 Pod pod first-10000 since 2");
    inventory_list_begin(inventory, KUBE_POD);
    inventory_list_end(inventory, KUBE_POD);
    expect_pod(inventory, "10.1.0.1", "unnamed");
    expect_pod(inventory, "10.1.0.1", "unnamed"); /* the directory that saw them is gone */
    assert_int_equal(tell_pods(inventory, "later", 10000), 10000);
    expect_pod(inventory, "10.1.0.1", "shop/later-1 Pod pod later-1 since 2");
    inventory_free(inventory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_configured_names),
        cmocka_unit_test(test_there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
