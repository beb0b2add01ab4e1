#include "agent/kube/wire/object_decoder.h"

#include "agent/kube/wire/arena.h"
#include "agent/kube/wire/message.h"
#include "agent/kube/wire/proto/kube_objects.pb-c.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * protobuf-c makes a tree of the bytes in an arena, and what names are made of is gathered from it
 * into arrays in the same arena. Hostile bytes can ask for many small messages: the arena's bound
 * ends that, and the object is refused.
 */

/* Of 8 MiB at most that come as one object, trees of honest ones stay below this. */
#define ARENA_LIMIT ((size_t)32 << 20)

struct object_decoder {
    struct arena *arena;
    ProtobufCAllocator allocator;
};

typedef Vethscope__Kube__ObjectMeta meta_message;
typedef Vethscope__Kube__Pair pair_message;

static void *take(void *arena, size_t size)
{
    return arena_take(arena, size);
}

static void keep(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

struct object_decoder *object_decoder_new(void)
{
    struct object_decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL) {
        return NULL;
    }
    decoder->arena = arena_new(ARENA_LIMIT);
    if (decoder->arena == NULL) {
        free(decoder);
        return NULL;
    }
    decoder->allocator = (ProtobufCAllocator){take, keep, decoder->arena};
    return decoder;
}

void object_decoder_free(struct object_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    arena_free(decoder->arena);
    free(decoder);
}

/* ---- bytes and arrays ---- */

static struct slice slice_from(ProtobufCBinaryData bytes)
{
    return (struct slice){bytes.data == NULL ? "" : (const char *)bytes.data, bytes.len};
}

/* The API server lets anything into annotations and owners; names end at a NUL, which is what parts
 * them from each other later. */
static struct slice name_from(ProtobufCBinaryData bytes)
{
    struct slice text = slice_from(bytes);
    const char *end = text.length == 0 ? NULL : memchr(text.data, '\0', text.length);
    return end == NULL ? text : (struct slice){text.data, (size_t)(end - text.data)};
}

static bool equals(ProtobufCBinaryData bytes, const char *text)
{
    return slice_equal(slice_from(bytes), slice_of(text));
}

static void *take_array(struct object_decoder *decoder, size_t count, size_t size)
{
    return arena_take(decoder->arena, count * size);
}

/* ---- metadata ---- */

static struct slice value_of(pair_message *const *pairs, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (equals(pairs[i]->key, key)) {
            return name_from(pairs[i]->value);
        }
    }
    return slice_of("");
}

static struct kube_owner owner_of(const meta_message *meta)
{
    for (size_t i = 0; i < meta->n_owner_references; i++) {
        const Vethscope__Kube__OwnerReference *owner = meta->owner_references[i];
        if (owner->controller) {
            return (struct kube_owner){name_from(owner->kind), name_from(owner->name)};
        }
    }
    return (struct kube_owner){slice_of(""), slice_of("")};
}

static struct slice annotation(const meta_message *meta, const char *key)
{
    return value_of(meta->annotations, meta->n_annotations, key);
}

static struct slice label(const meta_message *meta, const char *key)
{
    return value_of(meta->labels, meta->n_labels, key);
}

static bool read_meta(const meta_message *meta, struct decoded_object *decoded)
{
    if (meta == NULL) {
        return false;
    }
    decoded->object.meta = (struct kube_meta){
        .namespace = slice_from(meta->namespace_),
        .name = slice_from(meta->name),
        .uid = slice_from(meta->uid),
        .owner = owner_of(meta),
        .service_name = annotation(meta, "resource.opentelemetry.io/service.name"),
        .service_namespace = annotation(meta, "resource.opentelemetry.io/service.namespace"),
        .app_name = label(meta, "app.kubernetes.io/name"),
        .template_hash = label(meta, "pod-template-hash"),
        .slice_service = label(meta, "kubernetes.io/service-name"),
    };
    decoded->resource_version = slice_from(meta->resource_version);
    decoded->initial_events_end =
        slice_equal(annotation(meta, "k8s.io/initial-events-end"), slice_of("true"));
    return true;
}

/* ---- pods ---- */

static size_t count_ports(Vethscope__Kube__Container *const *containers, size_t count)
{
    size_t ports = 0;
    for (size_t i = 0; i < count; i++) {
        ports += containers[i]->n_ports;
    }
    return ports;
}

static void add_ports(struct port_list *list, Vethscope__Kube__Container *const *containers,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < containers[i]->n_ports; j++) {
            const Vethscope__Kube__ContainerPort *port = containers[i]->ports[j];
            port_list_add(list, slice_from(port->protocol), port->container_port);
        }
    }
}

static bool read_pod_spec(struct object_decoder *decoder, const Vethscope__Kube__PodSpec *spec,
                          struct kube_pod *pod)
{
    if (spec == NULL) {
        return true;
    }
    size_t most = count_ports(spec->containers, spec->n_containers) +
                  count_ports(spec->init_containers, spec->n_init_containers);
    struct port_list ports = {take_array(decoder, most, sizeof(uint16_t)), 0};
    if (ports.items == NULL) {
        return false;
    }
    add_ports(&ports, spec->containers, spec->n_containers);
    add_ports(&ports, spec->init_containers, spec->n_init_containers);
    pod->ports = ports.items;
    pod->port_count = ports.count;
    pod->node = slice_from(spec->node_name);
    pod->host_network = spec->host_network;
    return true;
}

static bool all_terminated(Vethscope__Kube__ContainerStatus *const *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (statuses[i]->state == NULL || statuses[i]->state->terminated == NULL) {
            return false;
        }
    }
    return true;
}

/* A pod whose containers all ended may be deleted long after its address was given to another. */
static bool is_finished(const meta_message *meta, const Vethscope__Kube__PodStatus *status)
{
    if (equals(status->phase, "Succeeded") || equals(status->phase, "Failed")) {
        return true;
    }
    return meta->deletion_timestamp != NULL && status->n_container_statuses > 0 &&
           all_terminated(status->container_statuses, status->n_container_statuses) &&
           all_terminated(status->init_container_statuses, status->n_init_container_statuses);
}

static bool read_pod_status(struct object_decoder *decoder, const Vethscope__Kube__Pod *message,
                            struct kube_pod *pod)
{
    const Vethscope__Kube__PodStatus *status = message->status;
    if (status == NULL) {
        return true;
    }
    struct address_list addresses = {
        take_array(decoder, status->n_pod_ips + 1, sizeof(struct address)), 0};
    if (addresses.items == NULL) {
        return false;
    }
    for (size_t i = 0; i < status->n_pod_ips; i++) {
        address_list_add(&addresses, slice_from(status->pod_ips[i]->ip));
    }
    if (addresses.count == 0) {
        address_list_add(&addresses, slice_from(status->pod_ip));
    }
    pod->addresses = addresses.items;
    pod->address_count = addresses.count;
    pod->finished = is_finished(message->metadata, status);
    return true;
}

static bool read_pod(struct object_decoder *decoder, struct slice bytes,
                     struct decoded_object *decoded)
{
    const Vethscope__Kube__Pod *message = vethscope__kube__pod__unpack(
        &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    struct kube_pod *pod = &decoded->object.pod;
    pod->node = slice_of("");
    return message != NULL && read_meta(message->metadata, decoded) &&
           read_pod_spec(decoder, message->spec, pod) && read_pod_status(decoder, message, pod);
}

/* ---- services ---- */

static bool read_service_ports(struct object_decoder *decoder,
                               const Vethscope__Kube__ServiceSpec *spec,
                               struct kube_service *service)
{
    struct kube_service_port *ports = take_array(decoder, spec->n_ports, sizeof(*ports));
    if (ports == NULL) {
        return false;
    }
    for (size_t i = 0; i < spec->n_ports; i++) {
        const Vethscope__Kube__ServicePort *port = spec->ports[i];
        if (message_is_tcp(slice_from(port->protocol), port->port)) {
            bool on_nodes = port->node_port > 0 && port->node_port <= UINT16_MAX;
            ports[service->port_count++] = (struct kube_service_port){
                (uint16_t)port->port, on_nodes ? (uint16_t)port->node_port : 0};
        }
    }
    service->ports = ports;
    return true;
}

static void add_addresses(struct address_list *list, const ProtobufCBinaryData *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        address_list_add(list, slice_from(texts[i]));
    }
}

static bool read_service_addresses(struct object_decoder *decoder,
                                   const Vethscope__Kube__Service *message,
                                   struct kube_service *service)
{
    const Vethscope__Kube__ServiceSpec *spec = message->spec;
    const Vethscope__Kube__LoadBalancerStatus *balancer =
        message->status == NULL ? NULL : message->status->load_balancer;
    size_t most = 1 + spec->n_cluster_ips + spec->n_external_ips +
                  (balancer == NULL ? 0 : balancer->n_ingress);
    struct address_list list = {take_array(decoder, most, sizeof(struct address)), 0};
    if (list.items == NULL) {
        return false;
    }
    address_list_add(&list, slice_from(spec->cluster_ip));
    add_addresses(&list, spec->cluster_ips, spec->n_cluster_ips);
    add_addresses(&list, spec->external_ips, spec->n_external_ips);
    for (size_t i = 0; balancer != NULL && i < balancer->n_ingress; i++) {
        address_list_add(&list, slice_from(balancer->ingress[i]->ip));
    }
    service->addresses = list.items;
    service->address_count = list.count;
    return true;
}

static bool read_service(struct object_decoder *decoder, struct slice bytes,
                         struct decoded_object *decoded)
{
    const Vethscope__Kube__Service *message = vethscope__kube__service__unpack(
        &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    struct kube_service *service = &decoded->object.service;
    if (message == NULL || !read_meta(message->metadata, decoded)) {
        return false;
    }
    if (message->spec == NULL) {
        return true;
    }
    service->external_name = equals(message->spec->type, "ExternalName");
    return service->external_name || (read_service_ports(decoder, message->spec, service) &&
                                      read_service_addresses(decoder, message, service));
}

/* ---- endpoint slices ---- */

static bool read_endpoint(struct object_decoder *decoder, const Vethscope__Kube__Endpoint *message,
                          struct kube_endpoint *endpoint)
{
    struct address_list list = {take_array(decoder, message->n_addresses, sizeof(struct address)),
                                0};
    if (list.items == NULL) {
        return false;
    }
    add_addresses(&list, message->addresses, message->n_addresses);
    const Vethscope__Kube__ObjectReference *target = message->target_ref;
    bool is_pod = target != NULL && equals(target->kind, "Pod");
    *endpoint = (struct kube_endpoint){.addresses = list.items,
                                       .address_count = list.count,
                                       .pod = is_pod ? slice_from(target->name) : slice_of("")};
    return true;
}

/* Which ports the slice is about: those listed, every one where one has no number (none is listed
 * then), or none that is TCP. */
enum slice_ports {
    PORTS_LISTED,
    PORTS_ALL,
    PORTS_NONE
};

static enum slice_ports add_endpoint_ports(struct port_list *list,
                                           const Vethscope__Kube__EndpointSlice *message)
{
    for (size_t i = 0; i < message->n_ports; i++) {
        const Vethscope__Kube__EndpointPort *port = message->ports[i];
        if (port->port == 0) {
            list->count = 0;
            return PORTS_ALL;
        }
        port_list_add(list, slice_from(port->protocol), port->port);
    }
    return list->count > 0 ? PORTS_LISTED : message->n_ports > 0 ? PORTS_NONE : PORTS_ALL;
}

static bool read_endpoints(struct object_decoder *decoder,
                           const Vethscope__Kube__EndpointSlice *message,
                           struct kube_endpoint_slice *slice)
{
    struct kube_endpoint *endpoints = take_array(decoder, message->n_endpoints, sizeof(*endpoints));
    if (endpoints == NULL) {
        return false;
    }
    for (size_t i = 0; i < message->n_endpoints; i++) {
        if (!read_endpoint(decoder, message->endpoints[i], &endpoints[i])) {
            return false;
        }
    }
    slice->endpoints = endpoints;
    slice->endpoint_count = message->n_endpoints;
    return true;
}

static bool read_endpoint_slice(struct object_decoder *decoder, struct slice bytes,
                                struct decoded_object *decoded)
{
    const Vethscope__Kube__EndpointSlice *message = vethscope__kube__endpoint_slice__unpack(
        &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    if (message == NULL || !read_meta(message->metadata, decoded)) {
        return false;
    }
    struct port_list ports = {take_array(decoder, message->n_ports, sizeof(uint16_t)), 0};
    if (ports.items == NULL) {
        return false;
    }
    struct kube_endpoint_slice *slice = &decoded->object.endpoint_slice;
    bool any = add_endpoint_ports(&ports, message) != PORTS_NONE;
    slice->ports = ports.items;
    slice->port_count = ports.count;
    return !any || read_endpoints(decoder, message, slice);
}

/* ---- nodes and the rest ---- */

static bool read_node_addresses(struct object_decoder *decoder,
                                const Vethscope__Kube__NodeStatus *status, struct kube_node *node)
{
    struct address_list list = {take_array(decoder, status->n_addresses, sizeof(struct address)),
                                0};
    if (list.items == NULL) {
        return false;
    }
    for (size_t i = 0; i < status->n_addresses; i++) {
        const Vethscope__Kube__NodeAddress *address = status->addresses[i];
        if (equals(address->type, "InternalIP") || equals(address->type, "ExternalIP")) {
            address_list_add(&list, slice_from(address->address));
        }
    }
    node->addresses = list.items;
    node->address_count = list.count;
    return true;
}

static void add_range(struct kube_range *ranges, size_t *count, ProtobufCBinaryData text)
{
    struct kube_range *range = &ranges[*count];
    if (message_parse_range(slice_from(text), &range->address, &range->prefix_bits) == 0) {
        ++*count;
    }
}

static bool read_node_ranges(struct object_decoder *decoder, const Vethscope__Kube__NodeSpec *spec,
                             struct kube_node *node)
{
    struct kube_range *ranges = take_array(decoder, spec->n_pod_cidrs + 1, sizeof(*ranges));
    if (ranges == NULL) {
        return false;
    }
    for (size_t i = 0; i < spec->n_pod_cidrs; i++) {
        add_range(ranges, &node->range_count, spec->pod_cidrs[i]);
    }
    if (node->range_count == 0) {
        add_range(ranges, &node->range_count, spec->pod_cidr);
    }
    node->ranges = ranges;
    return true;
}

static bool read_node(struct object_decoder *decoder, struct slice bytes,
                      struct decoded_object *decoded)
{
    const Vethscope__Kube__Node *message = vethscope__kube__node__unpack(
        &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    struct kube_node *node = &decoded->object.node;
    return message != NULL && read_meta(message->metadata, decoded) &&
           (message->spec == NULL || read_node_ranges(decoder, message->spec, node)) &&
           (message->status == NULL || read_node_addresses(decoder, message->status, node));
}

static bool read_metadata_only(struct object_decoder *decoder, struct slice bytes,
                               struct decoded_object *decoded)
{
    const Vethscope__Kube__MetadataOnly *message = vethscope__kube__metadata_only__unpack(
        &decoder->allocator, bytes.length, (const uint8_t *)bytes.data);
    return message != NULL && read_meta(message->metadata, decoded);
}

bool object_decoder_read(struct object_decoder *decoder, enum kube_kind kind, struct slice bytes,
                         struct decoded_object *decoded_out)
{
    typedef bool read_object(struct object_decoder *, struct slice, struct decoded_object *);
    static read_object *const readers[KUBE_KINDS] = {
        [KUBE_POD] = read_pod,
        [KUBE_SERVICE] = read_service,
        [KUBE_ENDPOINT_SLICE] = read_endpoint_slice,
        [KUBE_REPLICA_SET] = read_metadata_only,
        [KUBE_JOB] = read_metadata_only,
        [KUBE_NODE] = read_node,
        [KUBE_NAMESPACE] = read_metadata_only,
    };
    arena_reset(decoder->arena);
    memset(decoded_out, 0, sizeof(*decoded_out));
    decoded_out->object.kind = kind;
    return readers[kind](decoder, bytes, decoded_out);
}
