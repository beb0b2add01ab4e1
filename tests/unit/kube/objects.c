#include "tests/unit/kube/objects.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct slice slice_or_empty(const char *text)
{
    return slice_of(text != NULL ? text : "");
}

static struct slice namespace_of(const char *text)
{
    return slice_of(text != NULL ? text : "shop");
}

struct address objects_address(const char *text)
{
    struct address address;
    if (address_parse(text, &address) != 0) {
        abort();
    }
    return address;
}

struct kube_range objects_range(const char *text)
{
    char address[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    struct kube_range range = {objects_address(address), (unsigned)strtoul(slash + 1, NULL, 10)};
    range.prefix_bits += address_is_ipv4(&range.address) ? 96 : 0;
    return range;
}

static size_t read_addresses(const char *const texts[OBJECT_ADDRESSES],
                             struct address out[OBJECT_ADDRESSES])
{
    size_t count = 0;
    while (count < OBJECT_ADDRESSES && texts[count] != NULL) {
        out[count] = objects_address(texts[count]);
        count++;
    }
    return count;
}

static size_t count_ports(const uint16_t ports[OBJECT_PORTS])
{
    size_t count = 0;
    while (count < OBJECT_PORTS && ports[count] != 0) {
        count++;
    }
    return count;
}

struct kube_object objects_pod(const struct pod_text *text)
{
    static struct address addresses[OBJECT_ADDRESSES];
    static uint16_t ports[OBJECT_PORTS];
    memcpy(ports, text->ports, sizeof(ports));
    return (struct kube_object){
        .kind = KUBE_POD,
        .meta = {.namespace = namespace_of(text->namespace),
                 .name = slice_or_empty(text->name),
                 .uid = slice_or_empty(text->uid != NULL ? text->uid : text->name),
                 .owner = {slice_or_empty(text->owner_kind), slice_or_empty(text->owner)},
                 .service_name = slice_or_empty(text->service_name),
                 .service_namespace = slice_or_empty(text->service_namespace),
                 .app_name = slice_or_empty(text->app),
                 .template_hash = slice_or_empty(text->hash)},
        .pod = {.addresses = addresses,
                .address_count = read_addresses(text->addresses, addresses),
                .ports = ports,
                .port_count = count_ports(ports),
                .node = slice_or_empty(text->node),
                .host_network = text->host_network,
                .finished = text->finished},
    };
}

struct kube_object objects_service(const struct service_text *text)
{
    static struct address addresses[OBJECT_ADDRESSES];
    static struct kube_service_port ports[OBJECT_PORTS];
    memcpy(ports, text->ports, sizeof(ports));
    size_t count = 0;
    while (count < OBJECT_PORTS && ports[count].port != 0) {
        count++;
    }
    return (struct kube_object){
        .kind = KUBE_SERVICE,
        .meta = {.namespace = namespace_of(text->namespace), .name = slice_or_empty(text->name)},
        .service = {.addresses = addresses,
                    .address_count = read_addresses(text->addresses, addresses),
                    .ports = ports,
                    .port_count = count,
                    .external_name = text->external_name},
    };
}

struct kube_object objects_slice(const struct slice_text *text)
{
    static struct kube_endpoint endpoints[OBJECT_ENDPOINTS];
    static struct address addresses[OBJECT_ENDPOINTS];
    static uint16_t ports[OBJECT_PORTS];
    memcpy(ports, text->ports, sizeof(ports));
    size_t count = 0;
    for (; count < OBJECT_ENDPOINTS && text->endpoints[count].address != NULL; count++) {
        addresses[count] = objects_address(text->endpoints[count].address);
        endpoints[count] =
            (struct kube_endpoint){.addresses = &addresses[count],
                                   .address_count = 1,
                                   .pod = slice_or_empty(text->endpoints[count].pod)};
    }
    return (struct kube_object){
        .kind = KUBE_ENDPOINT_SLICE,
        .meta = {.namespace = namespace_of(text->namespace),
                 .name = slice_or_empty(text->name),
                 .slice_service = slice_or_empty(text->service)},
        .endpoint_slice = {.endpoints = endpoints,
                           .endpoint_count = count,
                           .ports = ports,
                           .port_count = count_ports(ports)},
    };
}

struct kube_object objects_node(const struct node_text *text)
{
    static struct address addresses[OBJECT_ADDRESSES];
    static struct kube_range ranges[OBJECT_ADDRESSES];
    size_t count = 0;
    for (; count < OBJECT_ADDRESSES && text->ranges[count] != NULL; count++) {
        ranges[count] = objects_range(text->ranges[count]);
    }
    return (struct kube_object){
        .kind = KUBE_NODE,
        .meta = {.name = slice_or_empty(text->name)},
        .node = {.addresses = addresses,
                 .address_count = read_addresses(text->addresses, addresses),
                 .ranges = ranges,
                 .range_count = count},
    };
}

struct kube_object objects_owner(const struct owner_text *text)
{
    return (struct kube_object){
        .kind = text->kind,
        .meta = {.namespace =
                     text->kind == KUBE_NAMESPACE ? slice_of("") : namespace_of(text->namespace),
                 .name = slice_or_empty(text->name),
                 .owner = {slice_or_empty(text->owner_kind), slice_or_empty(text->owner)},
                 .service_namespace = slice_or_empty(text->service_namespace),
                 .template_hash = slice_or_empty(text->hash)},
    };
}

const char *objects_describe(const struct directory *directory, const struct endpoint *endpoint)
{
    static char text[2048];
    struct workload w;
    switch (directory_find(directory, endpoint, &w)) {
    case DIRECTORY_AWAITED:
        return "awaited";
    case DIRECTORY_EXTERNAL:
        return "external";
    case DIRECTORY_UNNAMED:
        return "unnamed";
    case DIRECTORY_KNOWN:
        break;
    }
    FILE *file = fmemopen(text, sizeof(text), "w");
    if (file == NULL) {
        abort();
    }
    fprintf(file, "%.*s/%.*s", (int)w.namespace.length, w.namespace.data, (int)w.service.length,
            w.service.data);
    if (w.kind.length > 0) {
        fprintf(file, " %.*s", (int)w.kind.length, w.kind.data);
    }
    if (!slice_equal(w.called, w.service) || !slice_equal(w.called_namespace, w.namespace)) {
        fprintf(file, " by %.*s/%.*s", (int)w.called_namespace.length, w.called_namespace.data,
                (int)w.called.length, w.called.data);
    }
    if (w.pod.length > 0) {
        fprintf(file, " pod %.*s", (int)w.pod.length, w.pod.data);
    }
    if (w.node.length > 0) {
        fprintf(file, " node %.*s", (int)w.node.length, w.node.data);
    }
    if (w.since_ns != 0) {
        fprintf(file, " since %lld", (long long)w.since_ns);
    }
    fclose(file);
    return text;
}

const char *objects_find(const struct directory *directory, const char *address, uint16_t port)
{
    const struct endpoint endpoint = {objects_address(address), port};
    return objects_describe(directory, &endpoint);
}
