#include "agent/capture/interface_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SETTLE 2000
#define LEAVE 300

/* A table and what it called back. */
struct lab {
    struct interface_table table;
    uint32_t gone[8];
    size_t gone_count;
};

static void on_gone(void *context, uint32_t index)
{
    struct lab *lab = context;
    assert_true(lab->gone_count < 8);
    lab->gone[lab->gone_count++] = index;
}

static struct lab *lab_new(const char *const *names, size_t name_count, enum live_vantage vantage)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    const struct interface_table_options options = {.names = names,
                                                    .name_count = name_count,
                                                    .vantage = vantage,
                                                    .settle_ns = SETTLE,
                                                    .leave_ns = LEAVE,
                                                    .context = lab,
                                                    .gone = on_gone};
    interface_table_init(&lab->table, &options);
    return lab;
}

static void lab_free(struct lab *lab)
{
    interface_table_fini(&lab->table);
    free(lab);
}

static struct rtnetlink_link link_named(uint32_t index, const char *name)
{
    struct rtnetlink_link link = {.index = index, .running = true};
    snprintf(link.name, sizeof(link.name), "%s", name);
    return link;
}

static void tell_device(struct lab *lab, uint32_t index, const char *name)
{
    struct rtnetlink_link link = link_named(index, name);
    interface_table_link(&lab->table, &link, 0);
}

static void tell_pair(struct lab *lab, uint32_t index, uint32_t peer, bool elsewhere, int64_t now)
{
    char name[IFNAMSIZ];
    snprintf(name, sizeof(name), "veth%u", index);
    struct rtnetlink_link link = link_named(index, name);
    link.paired = true;
    link.peer = peer;
    link.peer_elsewhere = elsewhere;
    interface_table_link(&lab->table, &link, now);
}

static void tell_stopped_pair(struct lab *lab, uint32_t index, uint32_t peer, int64_t now)
{
    struct rtnetlink_link link = link_named(index, "veth");
    link.paired = true;
    link.peer = peer;
    link.running = false;
    interface_table_link(&lab->table, &link, now);
}

static enum interface_standing standing(struct lab *lab, uint32_t index)
{
    const struct interface *interface = interface_table_find(&lab->table, index);
    assert_non_null(interface);
    return interface->standing;
}

static bool from_pod_side(struct lab *lab, uint32_t index)
{
    const struct interface *interface = interface_table_find(&lab->table, index);
    assert_non_null(interface);
    return interface->from_pod_side;
}

static void assert_excluded(struct lab *lab, const uint32_t *indexes, size_t count)
{
    uint32_t excluded[16];
    assert_int_equal(interface_table_excluded(&lab->table, excluded, 16), count);
    assert_memory_equal(excluded, indexes, count * sizeof(indexes[0]));
}

static void test_what_counts_without_names(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    struct rtnetlink_link lo = link_named(1, "lo");
    lo.loopback = true;
    interface_table_link(&lab->table, &lo, 0);
    tell_device(lab, 40, "cni0");
    tell_device(lab, 2, "eth0");
    tell_pair(lab, 5, 2, true, 0);
    tell_pair(lab, 6, 7, false, 0);
    tell_pair(lab, 7, 6, false, 0);
    assert_int_equal(standing(lab, 5), INTERFACE_COUNTS);
    assert_false(from_pod_side(lab, 5));
    assert_int_equal(standing(lab, 6), INTERFACE_SETTLING);
    assert_int_equal(lab->table.counting, 1);
    assert_excluded(lab, (uint32_t[]){1, 2, 40}, 3);
    assert_int_equal(interface_table_loopback(&lab->table), 0);
    lab_free(lab);
}

/* A macvlan's or VLAN's parent may be elsewhere too; it is no pair. */
static void test_only_pairs_are_pod_links(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    struct rtnetlink_link macvlan = link_named(3, "macvlan0");
    macvlan.peer = 2;
    macvlan.peer_elsewhere = true;
    interface_table_link(&lab->table, &macvlan, 0);
    assert_int_equal(standing(lab, 3), INTERFACE_EXCLUDED);
    lab_free(lab);
}

static void test_names_and_globs(void **state)
{
    (void)state;
    const char *const names[] = {"eth0", "cali*"};
    struct lab *lab = lab_new(names, 2, LIVE_VANTAGE_AUTO);
    tell_device(lab, 2, "eth0");
    tell_device(lab, 3, "eth01");
    tell_device(lab, 4, "cali12");
    tell_pair(lab, 5, 9, true, 0); /* a pod link of another name */
    assert_int_equal(standing(lab, 2), INTERFACE_COUNTS);
    assert_int_equal(standing(lab, 3), INTERFACE_EXCLUDED);
    assert_int_equal(standing(lab, 4), INTERFACE_COUNTS);
    assert_int_equal(standing(lab, 5), INTERFACE_SETTLING);
    tell_device(lab, 4, "renamed");
    assert_int_equal(standing(lab, 4), INTERFACE_LEAVING);
    assert_int_equal(lab->table.counting, 1);
    lab_free(lab);
}

/* What a pair of one end here and one in a pod looks like while it is made on the node. */
static void test_peer_moves_into_a_pod(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_stopped_pair(lab, 7, 0, 0); /* told before the two are tied together */
    tell_stopped_pair(lab, 6, 7, 0);
    assert_int_equal(interface_table_due(&lab->table), 0);
    interface_table_link_gone(&lab->table, 7, true, 10);
    assert_int_equal(standing(lab, 6), INTERFACE_COUNTS);
    assert_null(interface_table_find(&lab->table, 7));
    assert_int_equal(lab->gone_count, 0);
    /* The same the other way round: the one that was told first stays. */
    tell_stopped_pair(lab, 17, 0, 20);
    tell_stopped_pair(lab, 16, 17, 20);
    interface_table_link_gone(&lab->table, 16, true, 30);
    assert_int_equal(standing(lab, 17), INTERFACE_COUNTS);
    assert_int_equal(lab->table.counting, 2);
    lab_free(lab);
}

/* Kernels that do not say whether a link was moved or deleted are asked about its peer. */
static void test_peer_vanishes(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 7, 6, false, 0);
    tell_pair(lab, 6, 7, false, 0);
    interface_table_link_gone(&lab->table, 7, false, 10);
    struct interface *query = interface_table_next_query(&lab->table);
    assert_non_null(query);
    assert_int_equal(query->link.index, 6);
    assert_null(interface_table_next_query(&lab->table));
    tell_pair(lab, 6, 2, true, 20);
    assert_int_equal(standing(lab, 6), INTERFACE_COUNTS);
    lab_free(lab);
}

static void test_pair_deleted_whole(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 7, 6, false, 0);
    tell_pair(lab, 6, 7, false, 0);
    interface_table_link_gone(&lab->table, 7, false, 10);
    interface_table_link_gone(&lab->table, 6, false, 10);
    assert_null(interface_table_next_query(&lab->table));
    assert_int_equal(lab->table.size, 0);
    assert_int_equal(lab->gone_count, 0);
    lab_free(lab);
}

static void test_peer_comes_back(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 6, 2, true, 0);
    tell_pair(lab, 7, 6, false, 100);
    assert_int_equal(standing(lab, 6), INTERFACE_LEAVING);
    interface_table_expire(&lab->table, 100 + LEAVE, true);
    assert_int_equal(lab->gone_count, 1);
    assert_int_equal(standing(lab, 6), INTERFACE_SETTLING);
    lab_free(lab);
}

/* A pair within the namespace is excluded when it has run long enough, and not when it has not. */
static void test_settling(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 6, 7, false, 1000);
    tell_stopped_pair(lab, 7, 6, 1000);
    lab->table.exclusions_changed = false;
    tell_pair(lab, 6, 7, false, 1500); /* told again: counts from the first time */
    assert_int_equal(interface_table_due(&lab->table), 1000 + SETTLE);
    interface_table_expire(&lab->table, 1000 + SETTLE - 1, true);
    assert_int_equal(standing(lab, 6), INTERFACE_SETTLING);
    assert_false(lab->table.exclusions_changed);
    interface_table_expire(&lab->table, 1000 + SETTLE, false);
    assert_true(lab->table.exclusions_changed);
    assert_excluded(lab, (uint32_t[]){6}, 1);
    assert_int_equal(interface_table_due(&lab->table), 0);
    lab->table.exclusions_changed = false;
    tell_stopped_pair(lab, 6, 7, 9000); /* its peer is being moved, perhaps */
    assert_true(lab->table.exclusions_changed);
    assert_excluded(lab, NULL, 0);
    interface_table_link_gone(&lab->table, 7, true, 9001);
    assert_int_equal(standing(lab, 6), INTERFACE_COUNTS);
    lab_free(lab);
}

/* Gone is told once, after the time, and only when the ring was read empty. */
static void test_leaving(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 6, 2, true, 0);
    interface_table_link_gone(&lab->table, 6, false, 1000);
    assert_int_equal(lab->table.counting, 0);
    assert_int_equal(standing(lab, 6), INTERFACE_LEAVING);
    interface_table_expire(&lab->table, 1000 + LEAVE - 1, true);
    interface_table_expire(&lab->table, 1000 + LEAVE, false);
    assert_int_equal(lab->gone_count, 0);
    assert_int_equal(interface_table_due(&lab->table), 1000 + LEAVE);
    interface_table_expire(&lab->table, 1000 + LEAVE, true);
    assert_int_equal(lab->gone_count, 1);
    assert_int_equal(lab->gone[0], 6);
    assert_null(interface_table_find(&lab->table, 6));
    assert_int_equal(interface_table_due(&lab->table), 0);
    lab_free(lab);
}

/* A number in use again ends what had it before. */
static void test_number_is_used_again(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 6, 2, true, 0);
    interface_table_link_gone(&lab->table, 6, false, 1000);
    tell_pair(lab, 6, 2, true, 1001);
    assert_int_equal(lab->gone_count, 1);
    assert_int_equal(standing(lab, 6), INTERFACE_COUNTS);
    interface_table_expire(&lab->table, 1000 + LEAVE, true);
    assert_int_equal(lab->gone_count, 1);
    lab_free(lab);
}

/* What was there at the start has no beginning; a number that is used again has a new one. */
static void test_since(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    interface_table_dump_begin(&lab->table);
    tell_pair(lab, 6, 2, true, 0);
    interface_table_dump_end(&lab->table, 0);
    lab->table.heard_ns = 500;
    tell_pair(lab, 7, 2, true, 510);
    tell_pair(lab, 6, 2, true, 510); /* told again is not new */
    assert_int_equal(interface_table_find(&lab->table, 6)->since_ns, 0);
    assert_int_equal(interface_table_find(&lab->table, 7)->since_ns, 500);
    interface_table_link_gone(&lab->table, 6, false, 600);
    assert_int_equal(interface_table_find(&lab->table, 6)->since_ns, 0);
    lab->table.heard_ns = 700;
    tell_pair(lab, 6, 2, true, 710);
    assert_int_equal(interface_table_find(&lab->table, 6)->since_ns, 700);
    lab_free(lab);
}

static void tell_dump(struct lab *lab, bool with_subnet, bool with_route)
{
    interface_table_dump_begin(&lab->table);
    struct rtnetlink_link lo = link_named(1, "lo");
    lo.loopback = true;
    interface_table_link(&lab->table, &lo, 0);
    tell_device(lab, 2, "ens3");
    tell_pair(lab, 3, 9, true, 0);
    tell_pair(lab, 4, 9, true, 0);
    if (with_subnet) {
        interface_table_subnet_address(&lab->table, 3);
    }
    if (with_route) {
        interface_table_default_route(&lab->table, 3);
    }
    interface_table_subnet_address(&lab->table, 77);
    interface_table_default_route(&lab->table, 77);
    interface_table_dump_end(&lab->table, 0);
}

static void test_vantage(void **state)
{
    (void)state;
    const char *const names[] = {"*"};
    static const struct {
        enum live_vantage vantage;
        bool with_subnet;
        bool with_route;
        bool device_from_pod;
        bool pair_from_pod;
    } cases[] = {
        {LIVE_VANTAGE_AUTO, false, false, true, false},
        {LIVE_VANTAGE_AUTO, true, false, true, true},
        {LIVE_VANTAGE_AUTO, false, true, true, true},
        {LIVE_VANTAGE_NODE, true, true, false, false},
        {LIVE_VANTAGE_POD, false, false, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lab *lab = lab_new(names, 1, cases[i].vantage);
        tell_dump(lab, cases[i].with_subnet, cases[i].with_route);
        assert_int_equal(lab->table.counting, 4);
        assert_true(from_pod_side(lab, 1));
        assert_int_equal(interface_table_loopback(&lab->table), 1);
        assert_int_equal(from_pod_side(lab, 2), cases[i].device_from_pod);
        assert_int_equal(from_pod_side(lab, 3), cases[i].pair_from_pod);
        assert_int_equal(from_pod_side(lab, 4), cases[i].vantage == LIVE_VANTAGE_POD);
        lab_free(lab);
    }
}

/* A later dump without the address turns the vantage again. */
static void test_vantage_follows_the_addresses(void **state)
{
    (void)state;
    const char *const names[] = {"veth*"};
    struct lab *lab = lab_new(names, 1, LIVE_VANTAGE_AUTO);
    tell_dump(lab, true, false);
    assert_true(from_pod_side(lab, 3));
    tell_dump(lab, false, false);
    assert_false(from_pod_side(lab, 3));
    lab_free(lab);
}

/* In a node that is a container the uplink is one of a pair, too. */
static void test_uplink_is_no_pod_link(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_dump(lab, true, true);
    assert_int_equal(standing(lab, 3), INTERFACE_SETTLING);
    assert_int_equal(standing(lab, 4), INTERFACE_COUNTS);
    assert_int_equal(lab->gone_count, 0);
    lab_free(lab);
    /* Asked for the view of a pod, it is the pod's link. */
    lab = lab_new(NULL, 0, LIVE_VANTAGE_POD);
    tell_dump(lab, true, true);
    assert_int_equal(standing(lab, 3), INTERFACE_COUNTS);
    assert_true(from_pod_side(lab, 3));
    lab_free(lab);
}

/* After lost notifications a dump tells what is gone, too. */
static void test_dump_tells_what_is_gone(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    tell_pair(lab, 6, 2, true, 0);
    tell_pair(lab, 8, 2, true, 0);
    tell_device(lab, 9, "dummy0");
    interface_table_dump_begin(&lab->table);
    tell_pair(lab, 8, 2, true, 50);
    assert_int_equal(lab->table.counting, 2);
    interface_table_dump_end(&lab->table, 50);
    assert_int_equal(lab->table.counting, 1);
    assert_int_equal(standing(lab, 6), INTERFACE_LEAVING);
    assert_null(interface_table_find(&lab->table, 9));
    assert_excluded(lab, NULL, 0);
    /* One that broke off changes nothing. */
    interface_table_dump_begin(&lab->table);
    interface_table_dump_abandon(&lab->table);
    assert_int_equal(standing(lab, 8), INTERFACE_COUNTS);
    lab_free(lab);
}

/* The bound: as many are kept, one more is not seen. */
static void test_bound(void **state)
{
    (void)state;
    struct lab *lab = lab_new(NULL, 0, LIVE_VANTAGE_AUTO);
    for (uint32_t i = 1; i <= INTERFACE_TABLE_MAX + 1; i++) {
        tell_pair(lab, i, 2000000, true, 0);
    }
    assert_int_equal(lab->table.size, INTERFACE_TABLE_MAX);
    assert_int_equal(lab->table.counting, INTERFACE_TABLE_MAX);
    assert_non_null(interface_table_find(&lab->table, INTERFACE_TABLE_MAX));
    assert_null(interface_table_find(&lab->table, INTERFACE_TABLE_MAX + 1));
    interface_table_link_gone(&lab->table, 5, false, 0);
    interface_table_expire(&lab->table, LEAVE, true);
    tell_pair(lab, INTERFACE_TABLE_MAX + 1, 2000000, true, 0);
    assert_int_equal(standing(lab, INTERFACE_TABLE_MAX + 1), INTERFACE_COUNTS);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts_without_names),
        cmocka_unit_test(test_only_pairs_are_pod_links),
        cmocka_unit_test(test_names_and_globs),
        cmocka_unit_test(test_peer_moves_into_a_pod),
        cmocka_unit_test(test_peer_vanishes),
        cmocka_unit_test(test_pair_deleted_whole),
        cmocka_unit_test(test_peer_comes_back),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_number_is_used_again),
        cmocka_unit_test(test_vantage),
        cmocka_unit_test(test_vantage_follows_the_addresses),
        cmocka_unit_test(test_uplink_is_no_pod_link),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_dump_tells_what_is_gone),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
