#include "tests/unit/kube/world.h"

/* Who services, their endpoints and nodes are. */

static void add_pod(struct world *world, const char *workload, const char *name,
                    const char *address)
{
    world_pod(world, &(struct pod_text){.name = name,
                                        .owner_kind = "StatefulSet",
                                        .owner = workload,
                                        .addresses = {address}});
}

static void add_host_pod(struct world *world, const char *workload, const char *name, uint16_t port,
                         const char *address)
{
    world_pod(world, &(struct pod_text){.name = name,
                                        .owner_kind = "DaemonSet",
                                        .owner = workload,
                                        .node = "n1",
                                        .addresses = {address},
                                        .ports = {port},
                                        .host_network = true});
}

static void test_a_service_is_what_is_behind_it(void **state)
{
    struct world *world = *state;
    const struct service_text web = {
        .name = "web", .addresses = {"10.96.0.1", "fd00::1"}, .ports = {{80, 0}, {443, 0}}};
    world_service(world, &web);
    world_expect(world, "10.96.0.1", 80, "shop/web Service since 1");
    world_expect(world, "10.96.0.1", 443, "shop/web Service since 1");
    world_expect(world, "fd00::1", 443, "shop/web Service since 1");
    world_expect(world, "10.96.0.1", 81, "awaited");
    world_expect(world, "10.96.0.1", 0, "awaited");
    add_pod(world, "front", "front-0", "10.1.0.1");
    world_slice(world, &(struct slice_text){.name = "web-1",
                                            .service = "web",
                                            .endpoints = {{"10.1.0.1", "front-0"}},
                                            .ports = {8080}});
    world_expect(world, "10.96.0.1", 80, "shop/front StatefulSet by shop/web since 1");
    world_expect(world, "fd00::1", 80, "shop/front StatefulSet by shop/web since 1");
    world_expect(world, "10.96.0.1", 81, "awaited");
    /* More of the same, in a slice of its own; then another. */
    add_pod(world, "front", "front-1", "10.1.0.2");
    world_slice(world, &(struct slice_text){.name = "web-2",
                                            .service = "web",
                                            .endpoints = {{"10.1.0.2", "front-1"}},
                                            .ports = {8080}});
    world_expect(world, "10.96.0.1", 80, "shop/front StatefulSet by shop/web since 1");
    add_pod(world, "other", "other-0", "10.1.0.3");
    world_slice(
        world, &(struct slice_text){.name = "web-2",
                                    .service = "web",
                                    .endpoints = {{"10.1.0.2", "front-1"}, {"10.1.0.3", "other-0"}},
                                    .ports = {8080}});
    world_expect(world, "10.96.0.1", 80, "shop/web Service since 1");
    world_remove(world, KUBE_ENDPOINT_SLICE, "shop", "web-2", "");
    world_expect(world, "10.96.0.1", 80, "shop/front StatefulSet by shop/web since 1");
    /* An endpoint that is nobody's counts as another. */
    world_slice(world, &(struct slice_text){.name = "web-3",
                                            .service = "web",
                                            .endpoints = {{"192.0.2.1", NULL}},
                                            .ports = {8080}});
    world_expect(world, "10.96.0.1", 80, "shop/web Service since 1");
    world_remove(world, KUBE_SERVICE, "shop", "web", "");
    world_expect(world, "10.96.0.1", 80, "external");
}

static void test_a_pod_is_called_by_its_only_service(void **state)
{
    struct world *world = *state;
    add_pod(world, "front", "front-0", "10.1.0.1");
    world_slice(world, &(struct slice_text){.name = "web-1",
                                            .service = "web",
                                            .endpoints = {{"10.1.0.1", "front-0"}},
                                            .ports = {8080, 9090}});
    world_expect(world, "10.1.0.1", 8080, "shop/front StatefulSet by shop/web pod front-0 since 1");
    world_expect(world, "10.1.0.1", 9090, "shop/front StatefulSet by shop/web pod front-0 since 1");
    world_expect(world, "10.1.0.1", 80, "shop/front StatefulSet pod front-0 since 1");
    world_expect(world, "10.1.0.1", 0, "shop/front StatefulSet pod front-0 since 1");
    /* A second slice of the same service changes nothing, a second service does. */
    world_slice(world, &(struct slice_text){.name = "web-2",
                                            .service = "web",
                                            .endpoints = {{"10.1.0.1", "front-0"}},
                                            .ports = {8080}});
    world_expect(world, "10.1.0.1", 8080, "shop/front StatefulSet by shop/web pod front-0 since 1");
    world_slice(world, &(struct slice_text){.name = "headless-1",
                                            .service = "headless",
                                            .endpoints = {{"10.1.0.1", "front-0"}},
                                            .ports = {8080}});
    world_expect(world, "10.1.0.1", 8080, "shop/front StatefulSet pod front-0 since 1");
    world_expect(world, "10.1.0.1", 9090, "shop/front StatefulSet by shop/web pod front-0 since 1");
    /* Without ports a slice covers all. */
    world_slice(world, &(struct slice_text){.name = "headless-1",
                                            .service = "headless",
                                            .endpoints = {{"10.1.0.1", "front-0"}}});
    world_expect(world, "10.1.0.1", 9090, "shop/front StatefulSet pod front-0 since 1");
    world_expect(world, "10.1.0.1", 1,
                 "shop/front StatefulSet by shop/headless pod front-0 since 1");
    world_expect(world, "10.1.0.1", 0,
                 "shop/front StatefulSet by shop/headless pod front-0 since 1");
    /* A slice may change its service, or have none. */
    world_slice(world, &(struct slice_text){.name = "headless-1",
                                            .service = "third",
                                            .endpoints = {{"10.1.0.1", "front-0"}}});
    world_expect(world, "10.1.0.1", 1, "shop/front StatefulSet by shop/third pod front-0 since 1");
    world_slice(world,
                &(struct slice_text){.name = "headless-1", .endpoints = {{"10.1.0.1", "front-0"}}});
    world_expect(world, "10.1.0.1", 1, "shop/front StatefulSet pod front-0 since 1");
    world_expect(world, "10.1.0.1", 9090, "shop/front StatefulSet by shop/web pod front-0 since 1");
}

static void test_endpoints_of_former_pods_name_nobody(void **state)
{
    struct world *world = *state;
    world_service(world, &(struct service_text){
                             .name = "web", .addresses = {"10.96.0.1"}, .ports = {{80, 0}}});
    add_pod(world, "front", "front-0", "10.1.0.1");
    add_pod(world, "front", "front-1", "10.1.0.2");
    world_slice(
        world, &(struct slice_text){.name = "web-1",
                                    .service = "web",
                                    .endpoints = {{"10.1.0.1", "front-0"}, {"10.1.0.2", "front-1"}},
                                    .ports = {8080}});
    add_pod(world, "batch", "batch-0", "10.1.0.2");
    world_expect(world, "10.1.0.2", 8080, "shop/batch StatefulSet pod batch-0 since 5");
    world_expect(world, "10.96.0.1", 80, "shop/front StatefulSet by shop/web since 1");
    /* A name in another namespace is another's. */
    world_slice(world, &(struct slice_text){.namespace = "bank",
                                            .name = "s",
                                            .service = "s",
                                            .endpoints = {{"10.1.0.1", "front-0"}},
                                            .ports = {8080}});
    world_expect(world, "10.1.0.1", 8080, "shop/front StatefulSet by shop/web pod front-0 since 2");
    world_remove(world, KUBE_POD, "shop", "batch-0", "");
    world_expect(world, "10.1.0.2", 8080, "shop/front StatefulSet by shop/web pod front-1 since 3");
}

static void test_endpoints_without_pods(void **state)
{
    struct world *world = *state;
    world_slice(world,
                &(struct slice_text){.name = "db-1",
                                     .service = "db",
                                     .endpoints = {{"192.0.2.1", NULL}, {"192.0.2.2", "remote-0"}},
                                     .ports = {5432}});
    world_expect(world, "192.0.2.1", 5432, "shop/db Service");
    world_expect(world, "192.0.2.1", 0, "shop/db Service");
    world_expect(world, "192.0.2.2", 5432, "shop/db Service pod remote-0");
    world_expect(world, "192.0.2.2", 0, "shop/db Service pod remote-0");
    /* Of several, the first by name; by port where they differ. */
    world_slice(world, &(struct slice_text){.name = "cache-1",
                                            .service = "cache",
                                            .endpoints = {{"192.0.2.1", NULL}},
                                            .ports = {5432}});
    world_slice(world, &(struct slice_text){.name = "mail-1",
                                            .service = "mail",
                                            .endpoints = {{"192.0.2.1", NULL}},
                                            .ports = {25}});
    world_expect(world, "192.0.2.1", 5432, "shop/cache Service");
    world_expect(world, "192.0.2.1", 25, "shop/mail Service");
    world_expect(world, "192.0.2.1", 26, "shop/cache Service");
    world_remove(world, KUBE_ENDPOINT_SLICE, "shop", "cache-1", "");
    world_expect(world, "192.0.2.1", 5432, "shop/db Service");
    world_owner(world, &(struct owner_text){
                           .kind = KUBE_NAMESPACE, .name = "shop", .service_namespace = "mall"});
    world_expect(world, "192.0.2.1", 5432, "mall/db Service by shop/db");
    /* A pod that is learned of later is itself. */
    add_pod(world, "remote", "remote-0", "192.0.2.2");
    world_expect(world, "192.0.2.2", 5432,
                 "mall/remote StatefulSet by shop/db pod remote-0 since 5");
}

static void test_external_names_have_no_address(void **state)
{
    struct world *world = *state;
    world_service(world, &(struct service_text){.name = "out",
                                                .addresses = {"10.96.0.1"},
                                                .ports = {{80, 30080}},
                                                .external_name = true});
    world_node(world, &(struct node_text){.name = "n1", .addresses = {"172.16.0.1"}});
    world_expect(world, "10.96.0.1", 80, "external");
    world_expect(world, "172.16.0.1", 30080, "/n1 Node node n1 since 2");
}

static void test_services_that_share_an_address(void **state)
{
    struct world *world = *state;
    world_service(world, &(struct service_text){.name = "b",
                                                .addresses = {"203.0.113.1"},
                                                .ports = {{80, 0}, {81, 0}}});
    world_service(world, &(struct service_text){.name = "a",
                                                .addresses = {"203.0.113.1"},
                                                .ports = {{80, 0}, {82, 0}}});
    world_expect(world, "203.0.113.1", 80, "shop/a Service since 2");
    world_expect(world, "203.0.113.1", 81, "shop/b Service since 1");
    world_expect(world, "203.0.113.1", 82, "shop/a Service since 2");
    world_expect(world, "203.0.113.1", 83, "awaited");
    world_service(world, &(struct service_text){
                             .name = "a", .addresses = {"203.0.113.1"}, .ports = {{83, 0}}});
    world_expect(world, "203.0.113.1", 80, "shop/b Service since 1");
    world_expect(world, "203.0.113.1", 83, "shop/a Service since 2");
    world_expect(world, "203.0.113.1", 82, "awaited");
}

static void test_node_ports_are_on_every_node(void **state)
{
    struct world *world = *state;
    world_node(world,
               &(struct node_text){.name = "n1", .addresses = {"172.16.0.1", "2001:db8::1"}});
    world_expect(world, "172.16.0.1", 0, "/n1 Node node n1 since 1");
    world_expect(world, "172.16.0.1", 30080, "/n1 Node node n1 since 1");
    world_service(world, &(struct service_text){.name = "web",
                                                .addresses = {"10.96.0.1"},
                                                .ports = {{80, 30080}, {443, 30443}}});
    world_node(world, &(struct node_text){.name = "n2", .addresses = {"172.16.0.2"}});
    world_expect(world, "172.16.0.1", 30080, "shop/web Service node n1 since 1");
    world_expect(world, "2001:db8::1", 30443, "shop/web Service node n1 since 1");
    world_expect(world, "172.16.0.2", 30443, "shop/web Service node n2 since 3");
    world_expect(world, "172.16.0.2", 30081, "/n2 Node node n2 since 3");
    world_expect(world, "10.96.0.1", 30080, "awaited");
    add_pod(world, "front", "front-0", "10.1.0.1");
    world_slice(world, &(struct slice_text){.name = "web-1",
                                            .service = "web",
                                            .endpoints = {{"10.1.0.1", "front-0"}}});
    world_expect(world, "172.16.0.1", 30080, "shop/front StatefulSet by shop/web node n1 since 1");
    /* Two of one port cannot be; if so, the first by name. */
    world_service(world, &(struct service_text){.name = "a", .ports = {{80, 30080}}});
    world_expect(world, "172.16.0.1", 30080, "shop/a Service node n1 since 1");
    world_remove(world, KUBE_SERVICE, "shop", "a", "");
    world_service(world, &(struct service_text){.name = "web",
                                                .addresses = {"10.96.0.1"},
                                                .ports = {{80, 30080}, {443, 0}}});
    world_expect(world, "172.16.0.1", 30443, "/n1 Node node n1 since 1");
    world_remove(world, KUBE_NODE, "", "n1", "");
    world_expect(world, "172.16.0.1", 30080, "external");
    world_expect(world, "172.16.0.2", 30080, "shop/front StatefulSet by shop/web node n2 since 3");
}

static void test_services_on_node_addresses(void **state)
{
    struct world *world = *state;
    world_node(world, &(struct node_text){.name = "n1", .addresses = {"172.16.0.1"}});
    world_service(world, &(struct service_text){.name = "web",
                                                .addresses = {"10.96.0.1", "172.16.0.1"},
                                                .ports = {{80, 30080}}});
    world_expect(world, "172.16.0.1", 80, "shop/web Service node n1 since 2");
    world_expect(world, "172.16.0.1", 30080, "shop/web Service node n1 since 1");
    world_expect(world, "172.16.0.1", 81, "/n1 Node node n1 since 1");
}

static void test_pods_on_the_host_share_its_address(void **state)
{
    struct world *world = *state;
    world_node(world, &(struct node_text){.name = "n1", .addresses = {"172.16.0.1"}});
    add_host_pod(world, "proxy", "proxy-a", 10249, "172.16.0.1");
    add_host_pod(world, "exporter", "exporter-a", 9100, "172.16.0.1");
    world_expect(world, "172.16.0.1", 10249, "shop/proxy DaemonSet pod proxy-a node n1 since 2");
    world_expect(world, "172.16.0.1", 9100,
                 "shop/exporter DaemonSet pod exporter-a node n1 since 3");
    world_expect(world, "172.16.0.1", 22, "/n1 Node node n1 since 1");
    world_expect(world, "172.16.0.1", 0, "/n1 Node node n1 since 1");
    /* An endpoint names a pod on a port that the pod does not declare, and only that pod. */
    world_slice(world, &(struct slice_text){
                           .name = "metrics-1",
                           .service = "metrics",
                           .endpoints = {{"172.16.0.1", "exporter-a"}, {"172.16.0.1", "unknown"}},
                           .ports = {9100, 9101}});
    world_expect(world, "172.16.0.1", 9100,
                 "shop/exporter DaemonSet by shop/metrics pod exporter-a node n1 since 3");
    world_expect(world, "172.16.0.1", 9101,
                 "shop/exporter DaemonSet by shop/metrics pod exporter-a node n1 since 3");
    world_expect(world, "172.16.0.1", 10249, "shop/proxy DaemonSet pod proxy-a node n1 since 2");
    /* A newer one of the same port has it; and gives it back. */
    add_host_pod(world, "proxy", "proxy-b", 10249, "172.16.0.1");
    world_expect(world, "172.16.0.1", 10249, "shop/proxy DaemonSet pod proxy-b node n1 since 5");
    add_host_pod(world, "proxy", "proxy-b", 10250, "172.16.0.1");
    world_expect(world, "172.16.0.1", 10249, "shop/proxy DaemonSet pod proxy-a node n1 since 2");
    world_expect(world, "172.16.0.1", 10250, "shop/proxy DaemonSet pod proxy-b node n1 since 5");
    world_remove(world, KUBE_POD, "shop", "proxy-a", "");
    world_expect(world, "172.16.0.1", 10249, "/n1 Node node n1 since 1");
    /* Endpoints that nobody is behind. */
    world_remove(world, KUBE_POD, "shop", "exporter-a", "");
    world_expect(world, "172.16.0.1", 9101, "shop/metrics Service pod exporter-a");
    /* The node goes: its address alone says nothing. */
    world_remove(world, KUBE_NODE, "", "n1", "");
    world_remove(world, KUBE_ENDPOINT_SLICE, "shop", "metrics-1", "");
    world_expect(world, "172.16.0.1", 9101, "awaited");
    world_expect(world, "172.16.0.1", 10250, "shop/proxy DaemonSet pod proxy-b node n1 since 5");
}

static void test_a_service_of_pods_on_hosts(void **state)
{
    struct world *world = *state;
    world_service(world, &(struct service_text){
                             .name = "metrics", .addresses = {"10.96.0.1"}, .ports = {{80, 0}}});
    world_slice(world, &(struct slice_text){.name = "metrics-1",
                                            .service = "metrics",
                                            .endpoints = {{"172.16.0.1", "exporter-a"},
                                                          {"172.16.0.2", "exporter-b"}},
                                            .ports = {9100}});
    add_host_pod(world, "exporter", "exporter-a", 9100, "172.16.0.1");
    world_expect(world, "10.96.0.1", 80, "shop/metrics Service since 1");
    add_host_pod(world, "exporter", "exporter-b", 9100, "172.16.0.2");
    world_expect(world, "10.96.0.1", 80, "shop/exporter DaemonSet by shop/metrics since 1");
    /* Off the host's network the same endpoints are the same pods. */
    add_pod(world, "exporter", "exporter-b", "172.16.0.2");
    world_expect(world, "10.96.0.1", 80, "shop/metrics Service since 1");
}

static void test_ranges_are_awaited(void **state)
{
    struct world *world = *state;
    const struct directory_entry names[] = {
        {objects_address("10.0.0.0"), 96 + 8, 0, "net", "ten"},
        {objects_address("10.1.5.0"), 96 + 24, 0, "net", "five"},
        {objects_address("10.1.0.9"), 128, 0, "net", "nine"},
        {objects_address("10.1.0.1"), 128, 99, "net", "port"},
    };
    const struct kube_range ranges[] = {objects_range("10.1.0.9/32"), objects_range("10.1.8.8/32"),
                                        objects_range("fd00::/16"), objects_range("10.1.5.0/24")};
    world_restart(world, &(struct inventory_options){
                             .names = names, .name_count = 4, .ranges = ranges, .range_count = 4});
    world_expect(world, "10.1.0.1", 80, "net/ten");
    world_expect(world, "11.0.0.1", 80, "external");
    world_expect(world, "fd00::1", 80, "awaited");
    world_expect(world, "10.1.5.5", 80, "net/five");
    const struct node_text node = {.name = "n1", .ranges = {"10.1.0.0/24", "2001:db8::/64"}};
    world_node(world, &node);
    world_expect(world, "10.1.0.1", 80, "awaited");
    world_expect(world, "10.1.1.1", 80, "net/ten");
    world_expect(world, "2001:db8::7", 80, "awaited");
    world_node(world, &node);
    assert_false(inventory_changed(world->inventory));
    add_pod(world, "front", "front-0", "10.1.0.1");
    add_pod(world, "front", "front-1", "10.1.8.8");
    add_pod(world, "front", "front-2", "10.1.0.9");
    world_expect(world, "10.1.0.1", 80, "shop/front StatefulSet pod front-0 since 3");
    world_expect(world, "10.1.8.8", 80, "shop/front StatefulSet pod front-1 since 4");
    /* What is configured for exactly this goes first. */
    world_expect(world, "10.1.0.9", 80, "net/nine");
    world_expect(world, "10.1.0.1", 99, "net/port");
    world_remove(world, KUBE_POD, "shop", "front-1", "");
    world_expect(world, "10.1.8.8", 80, "awaited");
    world_node(world, &(struct node_text){.name = "n1", .ranges = {"10.1.0.0/25"}});
    world_expect(world, "10.1.0.200", 80, "net/ten");
    world_expect(world, "10.1.0.100", 80, "awaited");
    world_expect(world, "2001:db8::7", 80, "external");
    inventory_list_begin(world->inventory, KUBE_NODE);
    inventory_list_end(world->inventory, KUBE_NODE);
    world_expect(world, "10.1.0.100", 80, "net/ten");
}

/* Tells a slice with so many endpoints at one address, of pods nobody knows. */
static void tell_crowd(struct world *world, const char *name, unsigned count)
{
    static char pods[2000][16];
    static struct kube_endpoint endpoints[2000];
    const struct address address = objects_address("10.1.9.9");
    for (unsigned i = 0; i < count; i++) {
        snprintf(pods[i], sizeof(pods[i]), "%s-%u", name, i);
        endpoints[i] = (struct kube_endpoint){&address, 1, slice_of(pods[i])};
    }
    struct kube_object object =
        objects_slice(&(struct slice_text){.name = name, .service = name, .ports = {8080}});
    object.endpoint_slice.endpoints = endpoints;
    object.endpoint_slice.endpoint_count = count;
    assert_int_equal(inventory_set(world->inventory, &object, 1), 0);
}

/* Everybody may write slices of their own, all with the same address: the first ones fill it, and
 * whoever else is there has the name that they would have without. */
static void test_an_address_has_so_many_endpoints(void **state)
{
    struct world *world = *state;
    tell_crowd(world, "crowd", 1023);
    tell_crowd(world, "a-last", 1);
    world_expect(world, "10.1.9.9", 8080, "shop/a-last Service pod a-last-0");
    tell_crowd(world, "a-further", 1000);
    world_expect(world, "10.1.9.9", 8080, "shop/a-last Service pod a-last-0");
    world_pod(world, &(struct pod_text){.name = "own", .addresses = {"10.1.9.9"}});
    world_expect(world, "10.1.9.9", 8080, "shop/own Pod pod own since 1");
    world_remove(world, KUBE_ENDPOINT_SLICE, "shop", "crowd", "");
    world_remove(world, KUBE_POD, "shop", "own", "");
    tell_crowd(world, "a-further", 1); /* there is room again */
    world_expect(world, "10.1.9.9", 8080, "shop/a-further Service pod a-further-0");
}

static void test_lists_of_services(void **state)
{
    struct world *world = *state;
    const struct service_text web = {.name = "web", .addresses = {"10.96.0.1"}, .ports = {{80, 0}}};
    world_service(world, &web);
    world_service(world, &(struct service_text){
                             .name = "old", .addresses = {"10.96.0.2"}, .ports = {{80, 0}}});
    world_slice(world, &(struct slice_text){
                           .name = "old-1", .service = "old", .endpoints = {{"192.0.2.1", NULL}}});
    inventory_list_begin(world->inventory, KUBE_SERVICE);
    world_service(world, &web);
    inventory_list_end(world->inventory, KUBE_SERVICE);
    world_expect(world, "10.96.0.1", 80, "shop/web Service since 1");
    world_expect(world, "10.96.0.2", 80, "external");
    world_expect(world, "192.0.2.1", 80, "shop/old Service");
    inventory_list_begin(world->inventory, KUBE_ENDPOINT_SLICE);
    inventory_list_end(world->inventory, KUBE_ENDPOINT_SLICE);
    world_expect(world, "192.0.2.1", 80, "external");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_a_service_is_what_is_behind_it),
        WORLD_TEST(test_a_pod_is_called_by_its_only_service),
        WORLD_TEST(test_endpoints_of_former_pods_name_nobody),
        WORLD_TEST(test_endpoints_without_pods),
        WORLD_TEST(test_external_names_have_no_address),
        WORLD_TEST(test_services_that_share_an_address),
        WORLD_TEST(test_node_ports_are_on_every_node),
        WORLD_TEST(test_services_on_node_addresses),
        WORLD_TEST(test_pods_on_the_host_share_its_address),
        WORLD_TEST(test_a_service_of_pods_on_hosts),
        WORLD_TEST(test_ranges_are_awaited),
        WORLD_TEST(test_an_address_has_so_many_endpoints),
        WORLD_TEST(test_lists_of_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
