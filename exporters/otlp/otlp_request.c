#include "exporters/otlp/otlp_request.h"

#include "exporters/proto/opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"

#include <errno.h>
#include <stdlib.h>

/* Field numbers, the same for both signals: ExportXServiceRequest, ResourceX, ScopeX, and the
 * data_points of every kind of metric. */
enum field {
    FIELD_RESOURCE_X = 1,
    FIELD_RESOURCE = 1,
    FIELD_SCOPE_X = 2,
    FIELD_SCOPE = 1,
    FIELD_ITEM = 2,
    FIELD_POINT = 1
};

struct entry {
    struct text resource;
    struct text body;
    uint32_t family;
    size_t order; /* sorting keeps it among equals */
};

struct pass {
    const struct otlp_request_options *options;
    struct byte_writer *out;
    struct entry *entries;
    size_t count;
    struct byte_writer metrics; /* of one resource, whose length is needed first */
    struct byte_writer points;
};

static int compare(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    size_t length =
        a->resource.length < b->resource.length ? a->resource.length : b->resource.length;
    int order = length == 0 ? 0 : memcmp(a->resource.data, b->resource.data, length);
    if (order == 0) {
        order =
            (a->resource.length > b->resource.length) - (a->resource.length < b->resource.length);
    }
    if (order == 0) {
        order = (a->family > b->family) - (a->family < b->family);
    }
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static bool same_resource(const struct entry *a, const struct entry *b)
{
    return a->resource.length == b->resource.length &&
           memcmp(a->resource.data, b->resource.data, a->resource.length) == 0;
}

/* Takes the next item off the front. */
static bool take_item(struct text *items, struct entry *entry)
{
    struct otlp_item item;
    if (items->length < sizeof(item)) {
        return false;
    }
    memcpy(&item, items->data, sizeof(item));
    size_t left = items->length - sizeof(item);
    if (item.resource_length > left || item.body_length > left - item.resource_length) {
        return false;
    }
    const char *at = items->data + sizeof(item);
    entry->resource = (struct text){at, item.resource_length};
    entry->body = (struct text){at + item.resource_length, item.body_length};
    entry->family = item.family;
    items->data = at + item.resource_length + item.body_length;
    items->length = left - item.resource_length - item.body_length;
    return true;
}

static int read_items(struct pass *pass, struct text items)
{
    size_t capacity = 0;
    while (items.length > 0) {
        if (pass->count == capacity) {
            capacity = capacity == 0 ? 256 : capacity * 2;
            void *entries = reallocarray(pass->entries, capacity, sizeof(*pass->entries));
            if (entries == NULL) {
                return -ENOMEM;
            }
            pass->entries = entries;
        }
        struct entry *entry = &pass->entries[pass->count];
        if (!take_item(&items, entry)) {
            return -EBADMSG;
        }
        entry->order = pass->count++;
    }
    if (pass->count > 0) {
        qsort(pass->entries, pass->count, sizeof(*pass->entries), compare);
    }
    return 0;
}

/* One metric with the points [first, end). */
static void append_metric(struct pass *pass, const struct entry *first, const struct entry *end)
{
    const struct otlp_family *family = pass->options->families[first->family];
    struct byte_writer *points = &pass->points;
    byte_writer_reset(points);
    for (const struct entry *entry = first; entry < end; entry++) {
        otlp_wire_bytes(points, FIELD_POINT, entry->body);
    }
    byte_writer_text(points, otlp_wire_written(&family->trail));
    otlp_wire_begin(&pass->metrics, FIELD_ITEM,
                    family->head.length + otlp_wire_size(points->length));
    byte_writer_text(&pass->metrics, otlp_wire_written(&family->head));
    otlp_wire_bytes(&pass->metrics, family->data_field, otlp_wire_written(points));
    pass->metrics.failed |= points->failed;
}

static void append_metrics(struct pass *pass, const struct entry *first, const struct entry *end)
{
    while (first < end) {
        const struct entry *next = first;
        while (next < end && next->family == first->family) {
            next++;
        }
        append_metric(pass, first, next);
        first = next;
    }
}

/* All that is about one resource. */
static void append_resource(struct pass *pass, const struct entry *first, const struct entry *end)
{
    struct byte_writer *items = &pass->metrics;
    byte_writer_reset(items);
    if (pass->options->families != NULL) {
        append_metrics(pass, first, end);
    } else {
        for (const struct entry *entry = first; entry < end; entry++) {
            otlp_wire_bytes(items, FIELD_ITEM, entry->body);
        }
    }
    size_t scope = otlp_wire_size(pass->options->scope.length) + items->length;
    otlp_wire_begin(pass->out, FIELD_RESOURCE_X,
                    otlp_wire_size(first->resource.length) + otlp_wire_size(scope));
    otlp_wire_bytes(pass->out, FIELD_RESOURCE, first->resource);
    otlp_wire_begin(pass->out, FIELD_SCOPE_X, scope);
    otlp_wire_bytes(pass->out, FIELD_SCOPE, pass->options->scope);
    byte_writer_text(pass->out, otlp_wire_written(items));
    pass->out->failed |= items->failed;
}

int otlp_request_write(const struct otlp_request_options *options, struct text items,
                       struct byte_writer *out)
{
    struct pass pass = {.options = options, .out = out};
    int status = read_items(&pass, items);
    size_t first = 0;
    while (status == 0 && first < pass.count) {
        size_t end = first + 1;
        while (end < pass.count && same_resource(&pass.entries[first], &pass.entries[end])) {
            end++;
        }
        append_resource(&pass, &pass.entries[first], &pass.entries[end]);
        first = end;
    }
    byte_writer_fini(&pass.metrics);
    byte_writer_fini(&pass.points);
    free(pass.entries);
    return status == 0 && out->failed ? -ENOMEM : status;
}

uint64_t otlp_request_rejected(struct text answer)
{
    typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse response;
    const uint8_t *bytes = (const uint8_t *)answer.data;
    if (answer.length == 0) {
        return 0;
    }
    response *message =
        opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
            NULL, answer.length, bytes);
    int64_t rejected = 0;
    if (message != NULL && message->partial_success != NULL) {
        rejected = message->partial_success->rejected_spans;
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(
        message, NULL);
    return rejected > 0 ? (uint64_t)rejected : 0;
}
