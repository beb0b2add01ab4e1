#include "tests/unit/kube/world.h"

/* Who pods are: annotations, labels, owners, addresses that are used again. */

static void test_owning_workloads(void **state)
{
    struct world *world = *state;
    world_pod(world, &(struct pod_text){.name = "orders-7d9-a",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "orders-7d9",
                                        .hash = "7d9",
                                        .node = "n1",
                                        .addresses = {"10.1.0.1"}});
    world_pod(world, &(struct pod_text){.name = "db-0",
                                        .owner_kind = "StatefulSet",
                                        .owner = "db",
                                        .addresses = {"10.1.0.2"}});
    world_pod(world, &(struct pod_text){.name = "agent-x",
                                        .owner_kind = "DaemonSet",
                                        .owner = "agent",
                                        .addresses = {"10.1.0.3"}});
    world_pod(world, &(struct pod_text){.name = "once-x",
                                        .owner_kind = "Job",
                                        .owner = "once",
                                        .addresses = {"10.1.0.4"}});
    world_pod(world, &(struct pod_text){.name = "alone", .addresses = {"10.1.0.5"}});
    world_pod(world, &(struct pod_text){.name = "static-n1",
                                        .owner_kind = "Node",
                                        .owner = "n1",
                                        .addresses = {"10.1.0.6"}});
    world_pod(world, &(struct pod_text){.name = "bare-x",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "bare",
                                        .addresses = {"10.1.0.7"}});
    world_pod(world, &(struct pod_text){.name = "odd-x",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "odd-77",
                                        .hash = "78",
                                        .addresses = {"10.1.0.8"}});
    world_expect(world, "10.1.0.1", 80, "shop/orders Deployment pod orders-7d9-a node n1 since 1");
    world_expect(world, "10.1.0.1", 0, "shop/orders Deployment pod orders-7d9-a node n1 since 1");
    world_expect(world, "10.1.0.2", 80, "shop/db StatefulSet pod db-0 since 2");
    world_expect(world, "10.1.0.3", 80, "shop/agent DaemonSet pod agent-x since 3");
    world_expect(world, "10.1.0.4", 80, "shop/once Job pod once-x since 4");
    world_expect(world, "10.1.0.5", 80, "shop/alone Pod pod alone since 5");
    world_expect(world, "10.1.0.6", 80, "shop/static-n1 Pod pod static-n1 since 6");
    world_expect(world, "10.1.0.7", 80, "shop/bare ReplicaSet pod bare-x since 7");
    world_expect(world, "10.1.0.8", 80, "shop/odd-77 ReplicaSet pod odd-x since 8");
}

static void test_replica_sets_know_better(void **state)
{
    struct world *world = *state;
    world_pod(world, &(struct pod_text){.name = "web-5-a",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "web-5",
                                        .hash = "5",
                                        .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/web Deployment pod web-5-a since 1");
    const struct owner_text rollout = {.kind = KUBE_REPLICA_SET,
                                       .name = "web-5",
                                       .hash = "5",
                                       .owner_kind = "Rollout",
                                       .owner = "website"};
    world_owner(world, &rollout);
    world_expect(world, "10.1.0.1", 80, "shop/website Rollout pod web-5-a since 1");
    /* Of its own, not a Deployment's. */
    world_owner(world, &(struct owner_text){.kind = KUBE_REPLICA_SET, .name = "web-5"});
    world_expect(world, "10.1.0.1", 80, "shop/web-5 ReplicaSet pod web-5-a since 1");
    /* As its name says. */
    world_owner(world, &(struct owner_text){.kind = KUBE_REPLICA_SET,
                                            .name = "web-5",
                                            .hash = "5",
                                            .owner_kind = "Deployment",
                                            .owner = "web"});
    world_expect(world, "10.1.0.1", 80, "shop/web Deployment pod web-5-a since 1");
    /* Of another namespace, or nobody's. */
    world_owner(world, &(struct owner_text){.kind = KUBE_REPLICA_SET,
                                            .namespace = "bank",
                                            .name = "web-5",
                                            .owner_kind = "Rollout",
                                            .owner = "x"});
    world_expect(world, "10.1.0.1", 80, "shop/web Deployment pod web-5-a since 1");
    world_owner(world, &rollout);
    world_remove(world, KUBE_REPLICA_SET, "shop", "web-5", "");
    world_expect(world, "10.1.0.1", 80, "shop/web Deployment pod web-5-a since 1");
}

static void test_jobs_of_cron_jobs(void **state)
{
    struct world *world = *state;
    const struct owner_text job = {
        .kind = KUBE_JOB, .name = "nightly-1", .owner_kind = "CronJob", .owner = "nightly"};
    world_owner(world, &job);
    world_owner(world, &(struct owner_text){.kind = KUBE_JOB, .name = "single"});
    world_pod(world, &(struct pod_text){.name = "nightly-1-a",
                                        .owner_kind = "Job",
                                        .owner = "nightly-1",
                                        .addresses = {"10.1.0.1"}});
    world_pod(world, &(struct pod_text){.name = "nightly-2-a",
                                        .owner_kind = "Job",
                                        .owner = "nightly-2",
                                        .addresses = {"10.1.0.2"}});
    world_pod(world, &(struct pod_text){.name = "single-a",
                                        .owner_kind = "Job",
                                        .owner = "single",
                                        .addresses = {"10.1.0.3"}});
    world_expect(world, "10.1.0.1", 80, "shop/nightly CronJob pod nightly-1-a since 3");
    world_expect(world, "10.1.0.2", 80, "shop/nightly-2 Job pod nightly-2-a since 4");
    world_expect(world, "10.1.0.3", 80, "shop/single Job pod single-a since 5");
    world_owner(world, &(struct owner_text){.kind = KUBE_JOB,
                                            .name = "nightly-2",
                                            .owner_kind = "CronJob",
                                            .owner = "nightly"});
    world_expect(world, "10.1.0.2", 80, "shop/nightly CronJob pod nightly-2-a since 4");
    world_expect_same_id(world, "10.1.0.1", "10.1.0.2");
    world_remove(world, KUBE_JOB, "shop", "nightly-1", "");
    world_expect(world, "10.1.0.1", 80, "shop/nightly-1 Job pod nightly-1-a since 3");
}

static void test_annotations_go_first(void **state)
{
    struct world *world = *state;
    world_pod(world, &(struct pod_text){.name = "a-1-x",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "a-1",
                                        .hash = "1",
                                        .service_name = "cart",
                                        .app = "label",
                                        .addresses = {"10.1.0.1"}});
    world_pod(world, &(struct pod_text){.name = "a-1-y",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "a-1",
                                        .hash = "1",
                                        .service_namespace = "retail",
                                        .app = "label",
                                        .addresses = {"10.1.0.2"}});
    world_expect(world, "10.1.0.1", 80, "shop/cart Deployment pod a-1-x since 1");
    world_expect(world, "10.1.0.2", 80, "retail/a Deployment pod a-1-y since 2");
    /* A namespace's annotation is for all who have none. */
    world_owner(world, &(struct owner_text){
                           .kind = KUBE_NAMESPACE, .name = "shop", .service_namespace = "mall"});
    world_expect(world, "10.1.0.1", 80, "mall/cart Deployment pod a-1-x since 1");
    world_expect(world, "10.1.0.2", 80, "retail/a Deployment pod a-1-y since 2");
    world_owner(world, &(struct owner_text){.kind = KUBE_NAMESPACE, .name = "shop"});
    world_expect(world, "10.1.0.1", 80, "shop/cart Deployment pod a-1-x since 1");
    /* The same pod, annotated otherwise. */
    world_pod(world, &(struct pod_text){.name = "a-1-x",
                                        .owner_kind = "ReplicaSet",
                                        .owner = "a-1",
                                        .hash = "1",
                                        .service_name = "basket",
                                        .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/basket Deployment pod a-1-x since 1");
}

static void test_app_label_where_asked_for(void **state)
{
    struct world *world = *state;
    world_restart(world, &(struct inventory_options){.name_by_app_label = true});
    world_pod(world, &(struct pod_text){.name = "a", .app = "label", .addresses = {"10.1.0.1"}});
    world_pod(world,
              &(struct pod_text){
                  .name = "b", .app = "label", .service_name = "cart", .addresses = {"10.1.0.2"}});
    world_pod(world, &(struct pod_text){.name = "c", .addresses = {"10.1.0.3"}});
    world_expect(world, "10.1.0.1", 80, "shop/label Pod pod a since 1");
    world_expect(world, "10.1.0.2", 80, "shop/cart Pod pod b since 2");
    world_expect(world, "10.1.0.3", 80, "shop/c Pod pod c since 3");
}

static void test_finished_pods_have_no_address(void **state)
{
    struct world *world = *state;
    world_node(world, &(struct node_text){.name = "n1", .ranges = {"10.1.0.0/24"}});
    world_pod(world, &(struct pod_text){.name = "old", .addresses = {"10.1.0.1"}});
    world_pod(world,
              &(struct pod_text){.name = "old", .addresses = {"10.1.0.1"}, .finished = true});
    world_expect(world, "10.1.0.1", 80, "awaited");
    world_pod(world, &(struct pod_text){.name = "new", .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 4");
    world_remove(world, KUBE_POD, "shop", "old", "old");
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 4");
}

static void test_the_newest_claim_wins(void **state)
{
    struct world *world = *state;
    const struct pod_text old = {.name = "old", .addresses = {"10.1.0.1"}};
    world_pod(world, &old);
    world_pod(world, &(struct pod_text){.name = "new", .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 2");
    /* An update of the former one is no new claim. */
    world_pod(world, &old);
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 2");
    world_remove(world, KUBE_POD, "shop", "old", "old");
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 2");
    /* The newest goes first: the address is the other's, as it was. */
    world_pod(world, &(struct pod_text){.name = "newer", .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/newer Pod pod newer since 4");
    world_remove(world, KUBE_POD, "shop", "newer", "newer");
    world_expect(world, "10.1.0.1", 80, "shop/new Pod pod new since 2");
    world_remove(world, KUBE_POD, "shop", "new", "");
    world_expect(world, "10.1.0.1", 80, "unnamed");
}

static void test_a_pod_of_the_same_name(void **state)
{
    struct world *world = *state;
    world_pod(world, &(struct pod_text){.name = "db-0", .uid = "u1", .addresses = {"10.1.0.1"}});
    world_pod(world, &(struct pod_text){
                         .name = "db-0", .uid = "u1", .node = "n2", .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/db-0 Pod pod db-0 node n2 since 1");
    world_pod(world, &(struct pod_text){.name = "db-0", .uid = "u2", .addresses = {"10.1.0.1"}});
    world_expect(world, "10.1.0.1", 80, "shop/db-0 Pod pod db-0 since 3");
    /* The former one's end says nothing about this one. */
    world_remove(world, KUBE_POD, "shop", "db-0", "u1");
    world_expect(world, "10.1.0.1", 80, "shop/db-0 Pod pod db-0 since 3");
    world_remove(world, KUBE_POD, "shop", "db-0", "u2");
    world_expect(world, "10.1.0.1", 80, "unnamed");
}

static void test_addresses_come_and_go(void **state)
{
    struct world *world = *state;
    world_pod(world, &(struct pod_text){.name = "a"});
    world_expect(world, "10.1.0.1", 80, "unnamed");
    world_pod(world, &(struct pod_text){.name = "a", .addresses = {"10.1.0.1"}});
    world_pod(world, &(struct pod_text){.name = "a", .addresses = {"10.1.0.1", "2001:db8::1"}});
    world_expect(world, "10.1.0.1", 80, "shop/a Pod pod a since 2");
    world_expect(world, "2001:db8::1", 80, "shop/a Pod pod a since 3");
    world_expect(world, "2001:db8::2", 80, "external");
    world_pod(world, &(struct pod_text){.name = "a", .addresses = {"2001:db8::1", "10.1.0.2"}});
    world_expect(world, "10.1.0.1", 80, "external");
    world_expect(world, "10.1.0.2", 80, "shop/a Pod pod a since 4");
    world_expect(world, "2001:db8::1", 80, "shop/a Pod pod a since 3");
}

static void test_long_names_are_cut(void **state)
{
    struct world *world = *state;
    char name[300];
    char expected[600];
    memset(name, 'x', sizeof(name));
    name[299] = '\0';
    memcpy(name + 253, "\xe2\x82\xac", 3); /* a character over the bound is not cut in two */
    world_pod(world,
              &(struct pod_text){.name = name, .service_name = "s", .addresses = {"10.1.0.1"}});
    snprintf(expected, sizeof(expected), "shop/s Pod pod %.253s since 1", name);
    world_expect(world, "10.1.0.1", 80, expected);
    /* Without a name there is no object. */
    world_pod(world, &(struct pod_text){.name = "", .addresses = {"10.1.0.2"}});
    world_expect(world, "10.1.0.2", 80, "external");
    world_remove(world, KUBE_POD, "shop", name, name);
    world_expect(world, "10.1.0.1", 80, "unnamed");
}

static void test_what_is_not_listed_again_goes(void **state)
{
    struct world *world = *state;
    const struct pod_text stays = {.name = "stays", .addresses = {"10.1.0.1"}};
    world_pod(world, &stays);
    world_pod(world, &(struct pod_text){.name = "goes", .addresses = {"10.1.0.2"}});
    inventory_list_begin(world->inventory, KUBE_POD);
    world_pod(world, &(struct pod_text){.name = "comes", .addresses = {"10.1.0.2"}});
    /* A list that breaks off begins anew, and what it had is not enough. */
    inventory_list_begin(world->inventory, KUBE_POD);
    world_pod(world, &stays);
    world_expect(world, "10.1.0.2", 80, "shop/comes Pod pod comes since 3");
    inventory_list_end(world->inventory, KUBE_POD);
    world_expect(world, "10.1.0.1", 80, "shop/stays Pod pod stays since 1");
    world_expect(world, "10.1.0.2", 80, "external");
    /* Another kind's list, and an end without a beginning, remove nothing. */
    inventory_list_begin(world->inventory, KUBE_SERVICE);
    inventory_list_end(world->inventory, KUBE_SERVICE);
    inventory_list_end(world->inventory, KUBE_POD);
    world_expect(world, "10.1.0.1", 80, "shop/stays Pod pod stays since 1");
}

static void test_owners_lists(void **state)
{
    struct world *world = *state;
    world_pod(world,
              &(struct pod_text){
                  .name = "p", .owner_kind = "Job", .owner = "j", .addresses = {"10.1.0.1"}});
    world_owner(world, &(struct owner_text){
                           .kind = KUBE_JOB, .name = "j", .owner_kind = "CronJob", .owner = "c"});
    world_owner(world, &(struct owner_text){
                           .kind = KUBE_NAMESPACE, .name = "shop", .service_namespace = "mall"});
    world_expect(world, "10.1.0.1", 80, "mall/c CronJob pod p since 1");
    static const enum kube_kind kinds[] = {KUBE_JOB, KUBE_NAMESPACE, KUBE_REPLICA_SET};
    for (size_t i = 0; i < 3; i++) {
        inventory_list_begin(world->inventory, kinds[i]);
        inventory_list_end(world->inventory, kinds[i]);
    }
    world_expect(world, "10.1.0.1", 80, "shop/j Job pod p since 1");
}

static void test_nothing_new_is_no_change(void **state)
{
    struct world *world = *state;
    assert_true(inventory_changed(world->inventory));
    const struct pod_text pod = {.name = "a", .node = "n", .addresses = {"10.1.0.1"}};
    world_pod(world, &pod);
    assert_true(inventory_changed(world->inventory));
    world_expect(world, "10.1.0.1", 80, "shop/a Pod pod a node n since 1");
    assert_false(inventory_changed(world->inventory));
    world_pod(world, &pod);
    world_owner(world,
                &(struct owner_text){
                    .kind = KUBE_JOB, .name = "unrelated", .owner_kind = "CronJob", .owner = "x"});
    world_remove(world, KUBE_POD, "shop", "unknown", "");
    world_remove(world, KUBE_POD, "shop", "n", "");
    assert_false(inventory_changed(world->inventory));
    world_remove(world, KUBE_POD, "shop", "a", "");
    assert_true(inventory_changed(world->inventory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_owning_workloads),
        WORLD_TEST(test_replica_sets_know_better),
        WORLD_TEST(test_jobs_of_cron_jobs),
        WORLD_TEST(test_annotations_go_first),
        WORLD_TEST(test_app_label_where_asked_for),
        WORLD_TEST(test_finished_pods_have_no_address),
        WORLD_TEST(test_the_newest_claim_wins),
        WORLD_TEST(test_a_pod_of_the_same_name),
        WORLD_TEST(test_addresses_come_and_go),
        WORLD_TEST(test_long_names_are_cut),
        WORLD_TEST(test_what_is_not_listed_again_goes),
        WORLD_TEST(test_owners_lists),
        WORLD_TEST(test_nothing_new_is_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
