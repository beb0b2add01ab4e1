#include "tests/unit/kube/model.h"
#include "tests/unit/kube/world.h"

#include <time.h>

/*
 * Random clusters in a small world, where everything meets everything else at the same addresses:
 * an inventory says what a plain model says, and the same whatever the order was.
 */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEPS 400
#define SEEDS 12
#define ORDERS 8

static const char *const addresses[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::1"};
static const uint16_t ports[] = {0, 80, 81, 30080};

static uint64_t random_state;

static uint32_t below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % bound;
}

static bool one_in(uint32_t count)
{
    return below(count) == 0;
}

static const char *pick(const char *const *texts, size_t count)
{
    return texts[below((uint32_t)count)];
}

#define PICK(...)                                                                                  \
    pick((const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

static void pick_addresses(const char *out[OBJECT_ADDRESSES])
{
    size_t count = below(3);
    uint32_t first = below(COUNT(addresses));
    for (size_t i = 0; i < count; i++) {
        out[i] = addresses[(first + i * 2) % COUNT(addresses)];
    }
}

static void pick_ports(uint16_t out[OBJECT_PORTS])
{
    size_t count = below(3);
    for (size_t i = 0; i < count; i++) {
        out[i] = ports[1 + below(COUNT(ports) - 1)];
    }
}

static struct model_object random_pod(void)
{
    struct model_object object = {
        .kind = KUBE_POD,
        .pod = {.namespace = PICK("a", "b"),
                .name = PICK("p0", "p1", "p2", "p3"),
                .uid = PICK("u0", "u0", "u1"),
                .owner_kind = PICK("ReplicaSet", "Job", "StatefulSet", "Node"),
                .owner = PICK("w-1", "w-2", NULL),
                .hash = PICK("1", "2", NULL),
                .service_name = PICK("s", NULL, NULL, NULL),
                .service_namespace = PICK("c", NULL, NULL, NULL),
                .node = PICK("n0", "n1"),
                .host_network = one_in(3),
                .finished = one_in(8)}};
    pick_addresses(object.pod.addresses);
    pick_ports(object.pod.ports);
    return object;
}

static struct model_object random_service(void)
{
    struct model_object object = {.kind = KUBE_SERVICE,
                                  .service = {.namespace = PICK("a", "b"),
                                              .name = PICK("s0", "s1", "s2"),
                                              .external_name = one_in(10)}};
    uint16_t its[OBJECT_PORTS] = {0};
    pick_addresses(object.service.addresses);
    pick_ports(its);
    for (size_t i = 0; i < OBJECT_PORTS; i++) {
        object.service.ports[i] =
            (struct kube_service_port){its[i], its[i] != 0 && one_in(2) ? 30080 : 0};
    }
    return object;
}

static struct model_object random_slice(void)
{
    struct model_object object = {.kind = KUBE_ENDPOINT_SLICE,
                                  .slice = {.namespace = PICK("a", "b"),
                                            .name = PICK("e0", "e1", "e2", "e3"),
                                            .service = PICK("s0", "s1", "s2", NULL)}};
    size_t count = below(4);
    for (size_t i = 0; i < count; i++) {
        object.slice.endpoints[i].address = addresses[below(COUNT(addresses))];
        object.slice.endpoints[i].pod = PICK("p0", "p1", "p2", "p3", NULL);
    }
    pick_ports(object.slice.ports);
    return object;
}

static struct model_object random_node(void)
{
    struct model_object object = {
        .kind = KUBE_NODE,
        .node = {.name = PICK("n0", "n1"), .ranges = {PICK("10.0.0.0/30", "fd00::/64", NULL)}}};
    pick_addresses(object.node.addresses);
    return object;
}

static struct model_object random_owner(void)
{
    struct model_object object = {.kind = one_in(2) ? KUBE_REPLICA_SET : KUBE_JOB,
                                  .owner = {.namespace = PICK("a", "b"),
                                            .name = PICK("w-1", "w-2"),
                                            .hash = PICK("1", NULL)}};
    if (one_in(3)) {
        object.kind = KUBE_NAMESPACE;
        object.owner =
            (struct owner_text){.name = PICK("a", "b"), .service_namespace = PICK("c", "d", NULL)};
    } else if (!one_in(4)) {
        object.owner.owner_kind = PICK("Deployment", "CronJob");
        object.owner.owner = PICK("w", "x");
    }
    object.owner.kind = object.kind;
    return object;
}

static struct model_object random_object(void)
{
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        return random_pod();
    case 3:
        return random_service();
    case 4:
    case 5:
        return random_slice();
    case 6:
        return random_node();
    default:
        return random_owner();
    }
}

static void compare_all(struct world *world, const struct model *model, uint64_t seed)
{
    for (size_t i = 0; i < COUNT(addresses); i++) {
        for (size_t j = 0; j < COUNT(ports); j++) {
            const char *expected = model_find(model, addresses[i], ports[j]);
            const char *found = objects_find(world->directory, addresses[i], ports[j]);
            if (strcmp(expected, found) != 0) {
                print_error("seed %llu: %s port %u\n", (unsigned long long)seed, addresses[i],
                            (unsigned)ports[j]);
            }
            assert_string_equal(found, expected);
        }
    }
}

static void renew(struct world *world)
{
    struct directory *directory = inventory_directory(world->inventory);
    assert_non_null(directory);
    directory_free(world->directory);
    world->directory = directory;
    assert_false(inventory_changed(world->inventory));
}

static void tell(struct world *world, struct model *model, const struct model_object *object)
{
    const struct kube_object told = model_told(object);
    assert_int_equal(inventory_set(world->inventory, &told, ++world->now_ns), 0);
    model_set(model, object, world->now_ns);
}

/* A list that has some of what is known, and sometimes begins anew. */
static void list(struct world *world, struct model *model)
{
    enum kube_kind kind = (enum kube_kind)below(KUBE_KINDS);
    size_t beginnings = 1 + below(2);
    for (size_t i = 0; i < beginnings; i++) {
        inventory_list_begin(world->inventory, kind);
        model_list_begin(model, kind);
        for (size_t j = 0; j < MODEL_OBJECTS; j++) {
            const struct model_object object = model->objects[j];
            if (object.present && object.kind == kind && !one_in(4)) {
                tell(world, model, &object);
            }
        }
    }
    inventory_list_end(world->inventory, kind);
    model_list_end(model, kind);
}

static void step(struct world *world, struct model *model)
{
    const struct model_object object = random_object();
    uint32_t what = below(20);
    if (what == 0) {
        list(world, model);
    } else if (what < 7) {
        const struct kube_object told = model_told(&object);
        assert_int_equal(inventory_remove(world->inventory, &told), 0);
        model_remove(model, &told);
    } else {
        tell(world, model, &object);
    }
}

static void same_as_model(struct world *world, uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    world_restart(world, &(struct inventory_options){.names = NULL});
    for (int i = 0; i < STEPS; i++) {
        step(world, model);
        if (one_in(3)) {
            renew(world);
            compare_all(world, model, seed);
        }
    }
    free(model);
}

static void test_same_as_the_model(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        same_as_model(*state, seed);
    }
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    same_as_model(*state, seed);
}

/* No two pods have one address, as in the end of every story. */
static size_t random_cluster(struct model *model)
{
    bool taken[COUNT(addresses)] = {false};
    for (int i = 0; i < 60; i++) {
        struct model_object object = random_object();
        if (object.kind == KUBE_POD || object.kind == KUBE_NODE) {
            uint32_t address = below(COUNT(addresses));
            const char **its =
                object.kind == KUBE_POD ? object.pod.addresses : object.node.addresses;
            its[0] = taken[address] ? NULL : addresses[address];
            its[1] = NULL;
            taken[address] = true;
        }
        model_set(model, &object, 0);
    }
    size_t count = 0;
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        count += model->objects[i].present ? 1 : 0;
    }
    return count;
}

static void shuffle(const struct model_object **objects, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t other = below((uint32_t)i);
        const struct model_object *moved = objects[i - 1];
        objects[i - 1] = objects[other];
        objects[other] = moved;
    }
}

static void any_order(struct world *world, uint64_t seed)
{
    static const struct model_object *objects[MODEL_OBJECTS];
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    random_state = seed * 0x9e3779b97f4a7c15u + 7;
    size_t count = 0;
    size_t present = random_cluster(model);
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        if (model->objects[i].present) {
            objects[count++] = &model->objects[i];
        }
    }
    assert_int_equal(count, present);
    for (int order = 0; order < ORDERS; order++) {
        shuffle(objects, count);
        world_restart(world, &(struct inventory_options){.names = NULL});
        for (size_t i = 0; i < count; i++) {
            const struct kube_object told = model_told(objects[i]);
            assert_int_equal(inventory_set(world->inventory, &told, 0), 0);
            if (one_in(8)) {
                renew(world);
            }
        }
        renew(world);
        compare_all(world, model, seed);
    }
    free(model);
}

static void test_any_order_is_the_same(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        any_order(*state, seed);
    }
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    any_order(*state, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_same_as_the_model),
        WORLD_TEST(test_any_order_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
