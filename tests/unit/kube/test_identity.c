#include "agent/kube/client/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct address own[2];
static struct address of_node[2];

static struct kube_object node(const char *name, const char *first, const char *second)
{
    assert_int_equal(address_parse(first, &of_node[0]), 0);
    assert_int_equal(address_parse(second, &of_node[1]), 0);
    return (struct kube_object){.kind = KUBE_NODE,
                                .meta.name = slice_of(name),
                                .node = {.addresses = of_node, .address_count = 2}};
}

static int set_up(void **state)
{
    (void)state;
    return address_parse("192.0.2.7", &own[0]) + address_parse("2001:db8::7", &own[1]);
}

static void the_node_with_an_own_address_is_this_one(void **state)
{
    (void)state;
    struct identity identity;
    assert_int_equal(identity_init(&identity, "", own, 2), 0);
    struct kube_object other = node("other", "192.0.2.8", "2001:db8::8");
    assert_false(identity_recognise(&identity, &other));
    assert_null(identity.node);
    struct kube_object mine = node("mine", "203.0.113.1", "2001:db8::7");
    assert_true(identity_recognise(&identity, &mine));
    assert_string_equal(identity.node, "mine");
    struct kube_object twin = node("twin", "192.0.2.7", "2001:db8::8");
    assert_false(identity_recognise(&identity, &twin)); /* it stays the first */
    assert_string_equal(identity.node, "mine");
    identity_fini(&identity);
}

static void a_name_that_was_told_stays(void **state)
{
    (void)state;
    struct identity identity;
    assert_int_equal(identity_init(&identity, "told", own, 2), 0);
    struct kube_object mine = node("mine", "192.0.2.7", "2001:db8::7");
    assert_false(identity_recognise(&identity, &mine));
    assert_string_equal(identity.node, "told");
    identity_fini(&identity);
}

static void without_addresses_no_node_is_this_one(void **state)
{
    (void)state;
    struct identity identity;
    assert_int_equal(identity_init(&identity, NULL, NULL, 0), 0);
    struct kube_object any = node("any", "192.0.2.7", "2001:db8::7");
    assert_false(identity_recognise(&identity, &any));
    assert_null(identity.node);
    identity_fini(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_node_with_an_own_address_is_this_one),
        cmocka_unit_test(a_name_that_was_told_stays),
        cmocka_unit_test(without_addresses_no_node_is_this_one),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
