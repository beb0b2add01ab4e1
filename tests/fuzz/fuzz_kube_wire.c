#include "agent/kube/client/hearing.h"
#include "agent/kube/client/refusal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Any bytes as what an API server answers. The first byte chooses the kind of object, how it is
 * asked for (a page, a page aside, a watch, a streamed list, a refusal) and in how large pieces it
 * comes. Whatever it is: what is told lies within bounds, lists are told from begin to end, and
 * memory stays bounded (by the fuzzer's limit).
 */
enum way {
    PAGE,
    PAGE_ASIDE,
    WATCH,
    STREAMED_LIST,
    REFUSAL,
    WAYS
};

static unsigned open_lists;
static volatile unsigned sum;

static void touch(struct slice text)
{
    unsigned total = 0;
    for (size_t i = 0; i < text.length; i++) {
        total += (unsigned char)text.data[i];
    }
    sum = total;
}

static void touch_addresses(const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        touch((struct slice){(const char *)addresses[i].bytes, sizeof(addresses[i].bytes)});
    }
}

static void touch_endpoints(const struct kube_endpoint_slice *slice)
{
    for (size_t i = 0; i < slice->endpoint_count; i++) {
        touch(slice->endpoints[i].pod);
        touch_addresses(slice->endpoints[i].addresses, slice->endpoints[i].address_count);
    }
    touch((struct slice){(const char *)slice->ports, slice->port_count * sizeof(uint16_t)});
}

static void touch_meta(const struct kube_meta *meta)
{
    const struct slice texts[] = {meta->namespace,         meta->name,       meta->uid,
                                  meta->owner.kind,        meta->owner.name, meta->service_name,
                                  meta->service_namespace, meta->app_name,   meta->template_hash,
                                  meta->slice_service};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        touch(texts[i]);
    }
}

static void touch_ranges(const struct kube_node *node)
{
    for (size_t i = 0; i < node->range_count; i++) {
        touch_addresses(&node->ranges[i].address, 1);
        if (node->ranges[i].prefix_bits > 128) {
            abort();
        }
    }
}

static void on_object(void *context, const struct kube_object *object)
{
    (void)context;
    touch_meta(&object->meta);
    switch (object->kind) {
    case KUBE_POD:
        touch_addresses(object->pod.addresses, object->pod.address_count);
        touch((struct slice){(const char *)object->pod.ports,
                             object->pod.port_count * sizeof(uint16_t)});
        touch(object->pod.node);
        break;
    case KUBE_SERVICE:
        touch_addresses(object->service.addresses, object->service.address_count);
        touch((struct slice){(const char *)object->service.ports,
                             object->service.port_count * sizeof(struct kube_service_port)});
        break;
    case KUBE_ENDPOINT_SLICE:
        touch_endpoints(&object->endpoint_slice);
        break;
    case KUBE_NODE:
        touch_addresses(object->node.addresses, object->node.address_count);
        touch_ranges(&object->node);
        break;
    case KUBE_REPLICA_SET:
    case KUBE_JOB:
    case KUBE_NAMESPACE:
    case KUBE_KINDS:
        break;
    }
}

static void on_list_begin(void *context)
{
    (void)context;
    open_lists = 1;
}

static void on_list_end(void *context)
{
    (void)context;
    if (open_lists != 1) {
        abort();
    }
    open_lists = 0;
}

static void hear_stream(struct hearing *hearing, struct slice bytes, size_t piece)
{
    while (bytes.length > 0) {
        struct slice part = {bytes.data, bytes.length < piece ? bytes.length : piece};
        if (!hearing_stream(hearing, part)) {
            if (hearing->problem[0] == '\0') {
                abort();
            }
            return;
        }
        bytes = (struct slice){bytes.data + part.length, bytes.length - part.length};
    }
}

static void refuse(struct slice bytes)
{
    static struct refusal refusal;
    refusal.length = 0;
    refusal_add(&refusal, bytes);
    char text[256];
    refusal_describe(&refusal, 403, text, sizeof(text));
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            abort();
        }
    }
    sum = refusal_retry_after(&refusal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct object_decoder *decoder;
    if (decoder == NULL) {
        decoder = object_decoder_new();
    }
    if (size == 0 || decoder == NULL) {
        return 0;
    }
    open_lists = 0;
    enum way way = (enum way)(data[0] / KUBE_KINDS % WAYS);
    size_t piece = data[0] >= KUBE_KINDS * WAYS * 3 ? 7 : SIZE_MAX;
    struct slice bytes = {(const char *)data + 1, size - 1};
    struct hearing hearing = {.kind = (enum kube_kind)(data[0] % KUBE_KINDS),
                              .decoder = decoder,
                              .sink = {.list_begin = on_list_begin,
                                       .list_end = on_list_end,
                                       .set = on_object,
                                       .remove = on_object}};
    hearing_start(&hearing);
    switch (way) {
    case PAGE:
    case PAGE_ASIDE:
        if (hearing_keep(&hearing, bytes)) {
            (void)hearing_page(&hearing, way == PAGE_ASIDE);
        }
        break;
    case STREAMED_LIST:
        hearing.listing = true;
        hearing_begin_list(&hearing);
        hear_stream(&hearing, bytes, piece);
        break;
    case WATCH:
        hear_stream(&hearing, bytes, piece);
        break;
    case REFUSAL:
    case WAYS:
        refuse(bytes);
        break;
    }
    hearing_fini(&hearing);
    return 0;
}
