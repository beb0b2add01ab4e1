#include "tests/unit/kube/world.h"

int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world_restart(world, &(struct inventory_options){.names = NULL});
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    /* Directories outlive their inventory. */
    inventory_free(world->inventory);
    directory_free(world->directory);
    free(world);
    return 0;
}

void world_restart(struct world *world, const struct inventory_options *options)
{
    inventory_free(world->inventory);
    directory_free(world->directory);
    *world = (struct world){.inventory = inventory_new(options)};
    assert_non_null(world->inventory);
}

static void set(struct world *world, struct kube_object object)
{
    assert_int_equal(inventory_set(world->inventory, &object, ++world->now_ns), 0);
}

void world_pod(struct world *world, const struct pod_text *text)
{
    set(world, objects_pod(text));
}

void world_service(struct world *world, const struct service_text *text)
{
    set(world, objects_service(text));
}

void world_slice(struct world *world, const struct slice_text *text)
{
    set(world, objects_slice(text));
}

void world_node(struct world *world, const struct node_text *text)
{
    set(world, objects_node(text));
}

void world_owner(struct world *world, const struct owner_text *text)
{
    set(world, objects_owner(text));
}

void world_remove(struct world *world, enum kube_kind kind, const char *namespace, const char *name,
                  const char *uid)
{
    const struct kube_object object = {
        .kind = kind,
        .meta = {.namespace = slice_of(namespace), .name = slice_of(name), .uid = slice_of(uid)}};
    assert_int_equal(inventory_remove(world->inventory, &object), 0);
}

/* The former directory is let go last: what it shows must not be gone before. */
static void renew(struct world *world)
{
    if (world->directory == NULL || inventory_changed(world->inventory)) {
        struct directory *directory = inventory_directory(world->inventory);
        assert_non_null(directory);
        directory_free(world->directory);
        world->directory = directory;
    }
}

void world_expect(struct world *world, const char *address, uint16_t port, const char *expected)
{
    renew(world);
    assert_string_equal(objects_find(world->directory, address, port), expected);
}

void world_expect_same_id(struct world *world, const char *first, const char *second)
{
    renew(world);
    const struct endpoint a = {objects_address(first), 80};
    const struct endpoint b = {objects_address(second), 80};
    struct workload one;
    struct workload two;
    assert_int_equal(directory_find(world->directory, &a, &one), DIRECTORY_KNOWN);
    assert_int_equal(directory_find(world->directory, &b, &two), DIRECTORY_KNOWN);
    assert_int_equal(one.id, two.id);
}
