#include "agent/kube/wire/object_decoder.h"
#include "tests/support/kube_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct object_decoder *decoder;
static struct decoded_object decoded;

static int set_up(void **state)
{
    (void)state;
    decoder = object_decoder_new();
    return decoder == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    object_decoder_free(decoder);
    return 0;
}

/* Decodes and frees the bytes. */
static bool decode(enum kube_kind kind, struct kube_bytes bytes)
{
    static struct kube_bytes last; /* what was decoded may point into it in a later version */
    kube_bytes_free(&last);
    last = bytes;
    return object_decoder_read(decoder, kind,
                               (struct slice){(const char *)bytes.bytes, bytes.length}, &decoded);
}

#define assert_slice(slice, text) assert_true(slice_equal((slice), slice_of(text)))

static void assert_address(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_SIZE];
    address_format(address, text);
    assert_string_equal(text, expected);
}

static struct kube_bytes owner(const char *kind, const char *name, bool controller)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, 1, kind);
    kube_bytes_text(&bytes, 3, name);
    if (controller) {
        kube_bytes_number(&bytes, 6, 1);
    }
    return bytes;
}

/* ---- metadata ---- */

static void metadata_holds_what_names_are_made_of(void **state)
{
    (void)state;
    struct kube_bytes meta = kube_bytes_meta("shop", "orders-1", "77");
    kube_bytes_pair(&meta, 11, "app.kubernetes.io/name", "orders");
    kube_bytes_pair(&meta, 11, "pod-template-hash", "7d4b9c6f5d");
    kube_bytes_pair(&meta, 11, "kubernetes.io/service-name", "orders-service");
    kube_bytes_pair(&meta, 12, "resource.opentelemetry.io/service.name", "Orders");
    kube_bytes_pair(&meta, 12, "resource.opentelemetry.io/service.namespace", "Shop");
    kube_bytes_message(&meta, 13, owner("Node", "bystander", false));
    kube_bytes_message(&meta, 13, owner("ReplicaSet", "orders-7d4b9c6f5d", true));
    assert_true(decode(KUBE_JOB, kube_bytes_object(meta)));
    const struct kube_meta *got = &decoded.object.meta;
    assert_int_equal(decoded.object.kind, KUBE_JOB);
    assert_slice(got->namespace, "shop");
    assert_slice(got->name, "orders-1");
    assert_slice(got->uid, "351fcc8f-b638-4939-866a-9cb82a16f933");
    assert_slice(got->owner.kind, "ReplicaSet");
    assert_slice(got->owner.name, "orders-7d4b9c6f5d");
    assert_slice(got->service_name, "Orders");
    assert_slice(got->service_namespace, "Shop");
    assert_slice(got->app_name, "orders");
    assert_slice(got->template_hash, "7d4b9c6f5d");
    assert_slice(got->slice_service, "orders-service");
    assert_slice(decoded.resource_version, "77");
    assert_false(decoded.initial_events_end);
}

static void what_is_absent_is_empty(void **state)
{
    (void)state;
    assert_true(decode(KUBE_NAMESPACE, kube_bytes_object(kube_bytes_meta("", "shop", "1"))));
    const struct kube_meta *got = &decoded.object.meta;
    assert_int_equal(got->namespace.length + got->owner.kind.length + got->owner.name.length +
                         got->service_name.length + got->app_name.length +
                         got->template_hash.length + got->slice_service.length,
                     0);
    assert_false(decode(KUBE_NAMESPACE, (struct kube_bytes){0})); /* nothing has no name */
}

/* Else a pod could say what node and pod it is beside what it may say. */
static void names_end_at_a_nul(void **state)
{
    (void)state;
    struct kube_bytes value = {0};
    kube_bytes_text(&value, 1, "resource.opentelemetry.io/service.name");
    kube_bytes_add(&value,
                   "\x12\x05"
                   "a\0b\0c",
                   7);
    struct kube_bytes parent = owner("", "orders-1", true);
    kube_bytes_add(&parent,
                   "\x0a\x05"
                   "Job\0x",
                   7);
    struct kube_bytes meta = kube_bytes_meta("shop", "orders-1", "1");
    kube_bytes_message(&meta, 12, value);
    kube_bytes_message(&meta, 13, parent);
    assert_true(decode(KUBE_JOB, kube_bytes_object(meta)));
    assert_slice(decoded.object.meta.service_name, "a");
    assert_slice(decoded.object.meta.owner.kind, "Job");
}

static void the_bookmark_after_a_streamed_list_is_marked(void **state)
{
    (void)state;
    struct kube_bytes meta = kube_bytes_meta("", "", "99");
    kube_bytes_pair(&meta, 12, "k8s.io/initial-events-end", "true");
    assert_true(decode(KUBE_POD, kube_bytes_object(meta)));
    assert_true(decoded.initial_events_end);
    assert_slice(decoded.resource_version, "99");
}

/* ---- pods ---- */

static struct kube_bytes pod_with(struct kube_bytes spec, struct kube_bytes status)
{
    struct kube_bytes pod = kube_bytes_object(kube_bytes_meta("shop", "orders-1", "7"));
    kube_bytes_message(&pod, 2, spec);
    kube_bytes_message(&pod, 3, status);
    return pod;
}

static struct kube_bytes one_text(unsigned field, const char *text)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, field, text);
    return bytes;
}

static void an_ordinary_pod(void **state)
{
    (void)state;
    assert_true(decode(KUBE_POD, kube_bytes_big_pod(258)));
    const struct kube_pod *pod = &decoded.object.pod;
    assert_slice(decoded.object.meta.name, "orders-7d4b9c6f5d-00102");
    assert_slice(decoded.object.meta.owner.name, "orders-7d4b9c6f5d");
    assert_int_equal(pod->address_count, 1);
    assert_address(&pod->addresses[0], "10.0.1.2");
    assert_int_equal(pod->port_count, 2);
    assert_int_equal(pod->ports[0], 8080);
    assert_int_equal(pod->ports[1], 9102);
    assert_slice(pod->node, "node-0008.example");
    assert_false(pod->host_network);
    assert_false(pod->finished);
}

static void a_pod_of_both_families_on_the_hosts_network(void **state)
{
    (void)state;
    struct kube_bytes spec = {0};
    kube_bytes_number(&spec, 11, 1);
    struct kube_bytes status = one_text(6, "10.0.0.1");
    kube_bytes_message(&status, 12, one_text(1, "10.0.0.1"));
    kube_bytes_message(&status, 12, one_text(1, "2001:db8::1"));
    assert_true(decode(KUBE_POD, pod_with(spec, status)));
    const struct kube_pod *pod = &decoded.object.pod;
    assert_int_equal(pod->address_count, 2);
    assert_address(&pod->addresses[0], "10.0.0.1");
    assert_address(&pod->addresses[1], "2001:db8::1");
    assert_true(pod->host_network);
}

static void a_pod_without_podips_has_its_podip(void **state)
{
    (void)state;
    assert_true(decode(KUBE_POD, pod_with((struct kube_bytes){0}, one_text(6, "10.0.0.9"))));
    assert_int_equal(decoded.object.pod.address_count, 1);
    assert_address(&decoded.object.pod.addresses[0], "10.0.0.9");
    assert_true(decode(KUBE_POD, pod_with((struct kube_bytes){0}, one_text(6, "none of them"))));
    assert_int_equal(decoded.object.pod.address_count, 0);
}

static void only_tcp_ports_count(void **state)
{
    (void)state;
    static const struct {
        uint64_t port;
        const char *protocol;
    } ports[] = {{53, "UDP"}, {80, "TCP"}, {81, ""}, {0, "TCP"}, {70000, "TCP"}, {5000, "SCTP"}};
    struct kube_bytes container = {0};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        struct kube_bytes port = {0};
        kube_bytes_number(&port, 3, ports[i].port);
        kube_bytes_text(&port, 4, ports[i].protocol);
        kube_bytes_message(&container, 6, port);
    }
    struct kube_bytes spec = {0};
    kube_bytes_message(&spec, 20, container); /* a sidecar, which is an init container */
    assert_true(decode(KUBE_POD, pod_with(spec, (struct kube_bytes){0})));
    assert_int_equal(decoded.object.pod.port_count, 2);
    assert_int_equal(decoded.object.pod.ports[0], 80);
    assert_int_equal(decoded.object.pod.ports[1], 81);
}

static struct kube_bytes container_status(unsigned state_field)
{
    struct kube_bytes state = {0};
    kube_bytes_message(&state, state_field, (struct kube_bytes){0});
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 2, state);
    return status;
}

static bool is_finished(const char *phase, bool deleted, unsigned container, unsigned sidecar)
{
    struct kube_bytes meta = kube_bytes_meta("shop", "orders-1", "7");
    if (deleted) {
        kube_bytes_message(&meta, 9, (struct kube_bytes){0});
    }
    struct kube_bytes status = one_text(1, phase);
    if (container != 0) {
        kube_bytes_message(&status, 8, container_status(container));
    }
    if (sidecar != 0) {
        kube_bytes_message(&status, 10, container_status(sidecar));
    }
    struct kube_bytes pod = kube_bytes_object(meta);
    kube_bytes_message(&pod, 3, status);
    assert_true(decode(KUBE_POD, pod));
    return decoded.object.pod.finished;
}

static void pods_that_finished_are_known(void **state)
{
    (void)state;
    enum {
        RUNNING = 2,
        TERMINATED = 3
    };
    assert_true(is_finished("Succeeded", false, 0, 0));
    assert_true(is_finished("Failed", false, RUNNING, 0));
    assert_false(is_finished("Running", false, TERMINATED, 0)); /* it may be started again */
    assert_false(is_finished("Running", true, RUNNING, 0));
    assert_true(is_finished("Running", true, TERMINATED, 0));
    assert_true(is_finished("Running", true, TERMINATED, TERMINATED));
    assert_false(is_finished("Running", true, TERMINATED, RUNNING));
    assert_false(is_finished("Pending", true, 0, 0));
}

/* ---- services ---- */

static struct kube_bytes service_with(struct kube_bytes spec)
{
    struct kube_bytes service = kube_bytes_object(kube_bytes_meta("shop", "orders", "7"));
    kube_bytes_message(&service, 2, spec);
    return service;
}

static struct kube_bytes service_port(const char *protocol, uint64_t port, uint64_t node_port)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, 2, protocol);
    kube_bytes_number(&bytes, 3, port);
    kube_bytes_number(&bytes, 5, node_port);
    return bytes;
}

static void a_service_has_all_its_addresses_once(void **state)
{
    (void)state;
    struct kube_bytes spec = {0};
    kube_bytes_message(&spec, 1, service_port("TCP", 80, 30080));
    kube_bytes_message(&spec, 1, service_port("UDP", 53, 0));
    kube_bytes_message(&spec, 1, service_port("TCP", 443, 0));
    kube_bytes_text(&spec, 3, "10.96.0.7");
    kube_bytes_text(&spec, 5, "203.0.113.9");
    kube_bytes_text(&spec, 18, "10.96.0.7");
    kube_bytes_text(&spec, 18, "2001:db8:96::7");
    struct kube_bytes service = service_with(spec);
    struct kube_bytes balancer = {0};
    kube_bytes_message(&balancer, 1, one_text(1, "198.51.100.3"));
    kube_bytes_message(&balancer, 1, one_text(2, "lb.example"));
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 1, balancer);
    kube_bytes_message(&service, 3, status);
    assert_true(decode(KUBE_SERVICE, service));
    const struct kube_service *got = &decoded.object.service;
    static const char *const expected[] = {"10.96.0.7", "2001:db8:96::7", "203.0.113.9",
                                           "198.51.100.3"};
    assert_int_equal(got->address_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_address(&got->addresses[i], expected[i]);
    }
    assert_int_equal(got->port_count, 2);
    assert_int_equal(got->ports[0].port, 80);
    assert_int_equal(got->ports[0].node_port, 30080);
    assert_int_equal(got->ports[1].port, 443);
    assert_int_equal(got->ports[1].node_port, 0);
    assert_false(got->external_name);
}

static void headless_and_external_services_have_no_address(void **state)
{
    (void)state;
    struct kube_bytes spec = {0};
    kube_bytes_text(&spec, 3, "None");
    kube_bytes_text(&spec, 18, "None");
    assert_true(decode(KUBE_SERVICE, service_with(spec)));
    assert_int_equal(decoded.object.service.address_count, 0);
    struct kube_bytes external = {0};
    kube_bytes_text(&external, 4, "ExternalName");
    kube_bytes_text(&external, 10, "database.example");
    assert_true(decode(KUBE_SERVICE, service_with(external)));
    assert_true(decoded.object.service.external_name);
    assert_int_equal(decoded.object.service.address_count, 0);
}

/* ---- endpoint slices ---- */

static struct kube_bytes slice_port(const char *protocol, uint64_t port)
{
    struct kube_bytes bytes = {0};
    kube_bytes_text(&bytes, 2, protocol);
    if (port != 0) {
        kube_bytes_number(&bytes, 3, port);
    }
    return bytes;
}

static struct kube_bytes slice_endpoint(const char *address, const char *kind, const char *name)
{
    struct kube_bytes bytes = one_text(1, address);
    if (kind != NULL) {
        struct kube_bytes target = one_text(1, kind);
        kube_bytes_text(&target, 3, name);
        kube_bytes_message(&bytes, 4, target);
    }
    return bytes;
}

static void an_endpoint_slice_has_endpoints_and_ports(void **state)
{
    (void)state;
    struct kube_bytes slice = kube_bytes_object(kube_bytes_meta("shop", "orders-x", "7"));
    kube_bytes_message(&slice, 2, slice_endpoint("10.0.0.1", "Pod", "orders-1"));
    kube_bytes_message(&slice, 2, slice_endpoint("10.0.0.2", NULL, NULL));
    kube_bytes_message(&slice, 2, slice_endpoint("db.example", "Machine", "m"));
    kube_bytes_message(&slice, 3, slice_port("TCP", 8080));
    kube_bytes_message(&slice, 3, slice_port("UDP", 53));
    assert_true(decode(KUBE_ENDPOINT_SLICE, slice));
    const struct kube_endpoint_slice *got = &decoded.object.endpoint_slice;
    assert_int_equal(got->endpoint_count, 3);
    assert_slice(got->endpoints[0].pod, "orders-1");
    assert_address(&got->endpoints[0].addresses[0], "10.0.0.1");
    assert_int_equal(got->endpoints[1].pod.length, 0);
    assert_address(&got->endpoints[1].addresses[0], "10.0.0.2");
    assert_int_equal(got->endpoints[2].address_count, 0);
    assert_int_equal(got->endpoints[2].pod.length, 0);
    assert_int_equal(got->port_count, 1);
    assert_int_equal(got->ports[0], 8080);
}

static void a_slice_of_every_port_lists_none_and_one_of_udp_is_empty(void **state)
{
    (void)state;
    struct kube_bytes every = kube_bytes_object(kube_bytes_meta("shop", "orders-x", "7"));
    kube_bytes_message(&every, 2, slice_endpoint("10.0.0.1", NULL, NULL));
    kube_bytes_message(&every, 3, slice_port("TCP", 8080));
    kube_bytes_message(&every, 3, slice_port("TCP", 0));
    assert_true(decode(KUBE_ENDPOINT_SLICE, every));
    assert_int_equal(decoded.object.endpoint_slice.port_count, 0);
    assert_int_equal(decoded.object.endpoint_slice.endpoint_count, 1);
    struct kube_bytes udp = kube_bytes_object(kube_bytes_meta("shop", "dns-x", "7"));
    kube_bytes_message(&udp, 2, slice_endpoint("10.0.0.1", NULL, NULL));
    kube_bytes_message(&udp, 3, slice_port("UDP", 53));
    assert_true(decode(KUBE_ENDPOINT_SLICE, udp));
    assert_int_equal(decoded.object.endpoint_slice.endpoint_count, 0);
}

/* ---- nodes ---- */

static struct kube_bytes node_address(const char *type, const char *address)
{
    struct kube_bytes bytes = one_text(1, type);
    kube_bytes_text(&bytes, 2, address);
    return bytes;
}

static void a_node_has_addresses_and_ranges(void **state)
{
    (void)state;
    struct kube_bytes node = kube_bytes_object(kube_bytes_meta("", "node-1", "7"));
    struct kube_bytes spec = one_text(1, "10.244.1.0/24");
    kube_bytes_text(&spec, 7, "10.244.1.0/24");
    kube_bytes_text(&spec, 7, "2001:db8:1::/64");
    kube_bytes_text(&spec, 7, "10.244.1.0/33");
    kube_bytes_text(&spec, 7, "10.244.1.0");
    struct kube_bytes status = {0};
    kube_bytes_message(&status, 5, node_address("InternalIP", "192.168.0.1"));
    kube_bytes_message(&status, 5, node_address("Hostname", "10.9.9.9"));
    kube_bytes_message(&status, 5, node_address("ExternalIP", "203.0.113.1"));
    kube_bytes_message(&node, 2, spec);
    kube_bytes_message(&node, 3, status);
    assert_true(decode(KUBE_NODE, node));
    const struct kube_node *got = &decoded.object.node;
    assert_int_equal(got->address_count, 2);
    assert_address(&got->addresses[0], "192.168.0.1");
    assert_address(&got->addresses[1], "203.0.113.1");
    assert_int_equal(got->range_count, 2);
    assert_address(&got->ranges[0].address, "10.244.1.0");
    assert_int_equal(got->ranges[0].prefix_bits, 96 + 24);
    assert_address(&got->ranges[1].address, "2001:db8:1::");
    assert_int_equal(got->ranges[1].prefix_bits, 64);
}

/* ---- hostile bytes ---- */

static void an_object_cut_anywhere_is_refused_or_less(void **state)
{
    (void)state;
    struct kube_bytes whole = kube_bytes_big_pod(1);
    unsigned refused = 0;
    for (size_t length = 0; length < whole.length; length += 7) {
        struct kube_bytes part = {0};
        kube_bytes_add(&part, whole.bytes, length);
        refused += !decode(KUBE_POD, part);
    }
    assert_true(refused > whole.length / 7 - 4); /* a cut between two fields leaves a whole one */
    kube_bytes_free(&whole);
}

/* Two bytes of input that become a whole message each: the tree is bounded, not the input alone. */
static void many_small_messages_are_refused(void **state)
{
    (void)state;
    struct kube_bytes spec = {0};
    for (unsigned i = 0; i < 1000000; i++) {
        kube_bytes_add(&spec, "\x12\x00", 2);
    }
    assert_false(decode(KUBE_POD, pod_with(spec, (struct kube_bytes){0})));
    assert_true(decode(KUBE_POD, kube_bytes_big_pod(3))); /* and the next one is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_holds_what_names_are_made_of),
        cmocka_unit_test(what_is_absent_is_empty),
        cmocka_unit_test(names_end_at_a_nul),
        cmocka_unit_test(the_bookmark_after_a_streamed_list_is_marked),
        cmocka_unit_test(an_ordinary_pod),
        cmocka_unit_test(a_pod_of_both_families_on_the_hosts_network),
        cmocka_unit_test(a_pod_without_podips_has_its_podip),
        cmocka_unit_test(only_tcp_ports_count),
        cmocka_unit_test(pods_that_finished_are_known),
        cmocka_unit_test(a_service_has_all_its_addresses_once),
        cmocka_unit_test(headless_and_external_services_have_no_address),
        cmocka_unit_test(an_endpoint_slice_has_endpoints_and_ports),
        cmocka_unit_test(a_slice_of_every_port_lists_none_and_one_of_udp_is_empty),
        cmocka_unit_test(a_node_has_addresses_and_ranges),
        cmocka_unit_test(an_object_cut_anywhere_is_refused_or_less),
        cmocka_unit_test(many_small_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
