#include "agent/kube/client/own_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What the host has, by its own words; NULL: it cannot say. */
static const char *const *host;

static struct address *list(size_t *count_out)
{
    if (host == NULL) {
        return NULL;
    }
    struct address *addresses = calloc(8, sizeof(*addresses));
    assert_non_null(addresses);
    for (*count_out = 0; host[*count_out] != NULL; (*count_out)++) {
        assert_int_equal(address_parse(host[*count_out], &addresses[*count_out]), 0);
    }
    return addresses;
}

static struct address of_node[1];
static struct kube_range range = {.prefix_bits = 120};

static struct kube_object node(const char *name)
{
    assert_int_equal(address_parse("192.0.2.7", &of_node[0]), 0);
    assert_int_equal(address_parse("10.244.1.0", &range.address), 0);
    return (struct kube_object){
        .kind = KUBE_NODE,
        .meta = {.name = slice_of(name), .uid = slice_of("uid")},
        .node = {.addresses = of_node, .address_count = 1, .ranges = &range, .range_count = 1}};
}

static void assert_addresses(const struct kube_object *object, const char *const *wanted)
{
    size_t count = 0;
    for (; wanted[count] != NULL; count++) {
        char text[ADDRESS_TEXT_SIZE];
        assert_true(count < object->node.address_count);
        address_format(&object->node.addresses[count], text);
        assert_string_equal(text, wanted[count]);
    }
    assert_int_equal(object->node.address_count, count);
}

/* The kernel's words about addresses come from a socket pair here. */
static void listen_to(struct own_node *own, int *kernel)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
    close(own->events);
    own->events = ends[0];
    *kernel = ends[1];
}

static void a_host_has_more_addresses_than_its_node(void **state)
{
    (void)state;
    static const char *const has[] = {"127.0.0.1", "::1",        "fe80::1", "169.254.1.1",
                                      "192.0.2.7", "10.244.1.1", NULL};
    static const char *const wanted[] = {"192.0.2.7", "10.244.1.1", NULL};
    struct own_node own;
    own_node_init(&own, list);
    host = has;
    struct kube_object told = node("mine");
    const struct kube_object *known = own_node_told(&own, "mine", &told);
    memset(of_node, 0, sizeof(of_node)); /* what was told lives no longer */
    assert_ptr_not_equal(known, &told);
    assert_true(slice_equal(known->meta.name, slice_of("mine")));
    assert_addresses(known, wanted);
    assert_int_equal(known->node.range_count, 1);
    assert_int_equal(known->node.ranges[0].prefix_bits, 120);
    own_node_fini(&own);
}

static void another_node_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const has[] = {"192.0.2.7", "10.244.1.1", NULL};
    struct own_node own;
    own_node_init(&own, list);
    host = has;
    struct kube_object told = node("other");
    assert_ptr_equal(own_node_told(&own, "mine", &told), &told);
    assert_ptr_equal(own_node_told(&own, NULL, &told), &told);
    assert_null(own_node_changed(&own));
    own_node_fini(&own);
}

/* The agent's addresses are then those of a pod. */
static void in_another_network_no_address_is_added(void **state)
{
    (void)state;
    static const char *const has[] = {"127.0.0.1", "10.244.1.5", NULL};
    static const char *const wanted[] = {"192.0.2.7", NULL};
    struct own_node own;
    own_node_init(&own, list);
    host = has;
    struct kube_object told = node("mine");
    assert_addresses(own_node_told(&own, "mine", &told), wanted);
    host = NULL;
    assert_addresses(own_node_told(&own, "mine", &told), wanted);
    own_node_fini(&own);
}

static void the_first_pod_brings_the_bridge(void **state)
{
    (void)state;
    static const char *const before[] = {"192.0.2.7", NULL};
    static const char *const after[] = {"192.0.2.7", "10.244.1.1", NULL};
    struct own_node own;
    own_node_init(&own, list);
    int kernel = -1;
    listen_to(&own, &kernel);
    host = before;
    struct kube_object told = node("mine");
    assert_addresses(own_node_told(&own, "mine", &told), before);
    assert_null(own_node_changed(&own));
    host = after;
    assert_null(own_node_changed(&own)); /* nobody said so */
    assert_int_equal(send(kernel, "new", 3, 0), 3);
    assert_int_equal(send(kernel, "newer", 5, 0), 5);
    const struct kube_object *known = own_node_changed(&own);
    assert_non_null(known);
    assert_addresses(known, after);
    assert_null(own_node_changed(&own));
    host = before;
    assert_int_equal(send(kernel, "gone", 4, 0), 4);
    assert_addresses(own_node_changed(&own), before);
    close(kernel);
    own_node_fini(&own);
}

static void words_about_an_unknown_node_are_read_and_nothing_else(void **state)
{
    (void)state;
    struct own_node own;
    own_node_init(&own, list);
    int kernel = -1;
    listen_to(&own, &kernel);
    assert_int_equal(send(kernel, "new", 3, 0), 3);
    assert_null(own_node_changed(&own));
    close(kernel);
    own_node_fini(&own);
}

static void without_a_list_there_is_no_socket(void **state)
{
    (void)state;
    static const char *const wanted[] = {"192.0.2.7", NULL};
    struct own_node own;
    own_node_init(&own, NULL);
    assert_int_equal(own.events, -1);
    struct kube_object told = node("mine");
    assert_addresses(own_node_told(&own, "mine", &told), wanted);
    assert_null(own_node_changed(&own));
    own_node_fini(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_has_more_addresses_than_its_node),
        cmocka_unit_test(another_node_stays_as_it_is),
        cmocka_unit_test(in_another_network_no_address_is_added),
        cmocka_unit_test(the_first_pod_brings_the_bridge),
        cmocka_unit_test(words_about_an_unknown_node_are_read_and_nothing_else),
        cmocka_unit_test(without_a_list_there_is_no_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
