#include "exporters/prometheus/protobuf_point.h"

#include "exporters/byte_writer.h"
#include "exporters/prometheus/native_histogram.h"
#include "exporters/proto/io/prometheus/client/metrics.pb-c.h"

#include <math.h>
#include <stdlib.h>

/*
 * The messages refer to each other by pointers, which stay as they are from point to point: only
 * numbers, strings and counts are filled in anew. Strings lie in one buffer that has room for all
 * of a point's before the first is written, so that it does not move.
 */

#define NS_PER_SECOND 1000000000
/* A byte of a string is replaced by U+FFFD at worst: three bytes. */
#define STRING_GROWTH 3

/* A bucket and what belongs to it. */
struct bucket_messages {
    Io__Prometheus__Client__Bucket bucket;
    Io__Prometheus__Client__Exemplar exemplar;
    Io__Prometheus__Client__LabelPair label;
    Io__Prometheus__Client__LabelPair *labels[1];
    Io__Prometheus__Client__Timestamp time;
};

struct protobuf_point {
    Io__Prometheus__Client__Metric metric;
    Io__Prometheus__Client__Gauge gauge;
    Io__Prometheus__Client__Counter counter;
    Io__Prometheus__Client__Histogram histogram;
    Io__Prometheus__Client__Timestamp created;
    struct byte_writer strings;
    Io__Prometheus__Client__LabelPair *labels;
    Io__Prometheus__Client__LabelPair **label_pointers;
    size_t label_room;
    struct bucket_messages *buckets;
    Io__Prometheus__Client__Bucket **bucket_pointers;
    Io__Prometheus__Client__Exemplar **exemplar_pointers;
    size_t bucket_room;
    struct native_span *native_spans;
    Io__Prometheus__Client__BucketSpan *spans;
    Io__Prometheus__Client__BucketSpan **span_pointers;
    int64_t *deltas;
    size_t native_room;
};

struct protobuf_point *protobuf_point_new(void)
{
    struct protobuf_point *messages = calloc(1, sizeof(*messages));
    if (messages != NULL) {
        io__prometheus__client__metric__init(&messages->metric);
        io__prometheus__client__gauge__init(&messages->gauge);
        io__prometheus__client__counter__init(&messages->counter);
        io__prometheus__client__histogram__init(&messages->histogram);
        io__prometheus__client__timestamp__init(&messages->created);
        byte_writer_init(&messages->strings);
    }
    return messages;
}

void protobuf_point_free(struct protobuf_point *messages)
{
    if (messages == NULL) {
        return;
    }
    byte_writer_fini(&messages->strings);
    free(messages->labels);
    free(messages->label_pointers);
    free(messages->buckets);
    free(messages->bucket_pointers);
    free(messages->exemplar_pointers);
    free(messages->native_spans);
    free(messages->spans);
    free(messages->span_pointers);
    free(messages->deltas);
    free(messages);
}

/* An array for `count` elements instead of the former one, whose contents are not needed. */
static bool renew(void *array_pointer, size_t count, size_t size)
{
    void *array = calloc(count, size);
    void *former;
    memcpy(&former, array_pointer, sizeof(former));
    free(former);
    memcpy(array_pointer, &array, sizeof(array));
    return array != NULL;
}

static bool grow_labels(struct protobuf_point *messages, size_t count)
{
    if (count <= messages->label_room) {
        return true;
    }
    messages->label_room = 0;
    if (!renew(&messages->labels, count, sizeof(*messages->labels)) ||
        !renew(&messages->label_pointers, count, sizeof(*messages->label_pointers))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        io__prometheus__client__label_pair__init(&messages->labels[i]);
        messages->label_pointers[i] = &messages->labels[i];
    }
    messages->label_room = count;
    return true;
}

static void link_bucket(struct bucket_messages *one)
{
    static char name[] = "trace_id";
    io__prometheus__client__bucket__init(&one->bucket);
    io__prometheus__client__exemplar__init(&one->exemplar);
    io__prometheus__client__label_pair__init(&one->label);
    one->label.name = name;
    one->labels[0] = &one->label;
    io__prometheus__client__timestamp__init(&one->time);
    one->exemplar.label = one->labels;
    one->exemplar.n_label = 1;
    one->exemplar.timestamp = &one->time;
}

static bool grow_buckets(struct protobuf_point *messages, size_t count)
{
    if (count <= messages->bucket_room) {
        return true;
    }
    messages->bucket_room = 0;
    if (!renew(&messages->buckets, count, sizeof(*messages->buckets)) ||
        !renew(&messages->bucket_pointers, count, sizeof(*messages->bucket_pointers)) ||
        !renew(&messages->exemplar_pointers, count, sizeof(*messages->exemplar_pointers))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        link_bucket(&messages->buckets[i]);
        messages->bucket_pointers[i] = &messages->buckets[i].bucket;
    }
    messages->bucket_room = count;
    return true;
}

static bool grow_native(struct protobuf_point *messages, size_t count)
{
    if (count <= messages->native_room) {
        return true;
    }
    messages->native_room = 0;
    if (!renew(&messages->native_spans, count, sizeof(*messages->native_spans)) ||
        !renew(&messages->spans, count, sizeof(*messages->spans)) ||
        !renew(&messages->span_pointers, count, sizeof(*messages->span_pointers)) ||
        !renew(&messages->deltas, count, sizeof(*messages->deltas))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        io__prometheus__client__bucket_span__init(&messages->spans[i]);
        messages->span_pointers[i] = &messages->spans[i];
    }
    messages->native_room = count;
    return true;
}

/* ---- strings ---- */

static bool reserve_strings(struct protobuf_point *messages, const struct metric_point *point,
                            const struct metric_exemplar *exemplars, size_t exemplar_count)
{
    size_t size = 0;
    for (size_t i = 0; i < point->label_count; i++) {
        size += strlen(point->labels[i].name) + point->labels[i].value.length * STRING_GROWTH + 2;
    }
    for (size_t i = 0; i < exemplar_count; i++) {
        size += exemplars[i].trace_id.length * STRING_GROWTH + 1;
    }
    byte_writer_reset(&messages->strings);
    return byte_writer_reserve(&messages->strings, size + 1) != NULL;
}

static char *string_of(struct byte_writer *strings, struct text text)
{
    char *string = strings->data + strings->length;
    byte_writer_utf8(strings, text);
    byte_writer_byte(strings, '\0');
    return string;
}

static bool set_labels(struct protobuf_point *messages, const struct metric_point *point)
{
    if (!grow_labels(messages, point->label_count)) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < point->label_count; i++) {
        const struct metric_label *label = &point->labels[i];
        if (label->value.length > 0) {
            messages->labels[count].name = string_of(&messages->strings, text_of(label->name));
            messages->labels[count].value = string_of(&messages->strings, label->value);
            count++;
        }
    }
    messages->metric.label = messages->label_pointers;
    messages->metric.n_label = count;
    return true;
}

/* ---- numbers ---- */

static void set_time(Io__Prometheus__Client__Timestamp *time, int64_t time_ns)
{
    time->seconds = time_ns / NS_PER_SECOND;
    time->nanos = (int32_t)(time_ns % NS_PER_SECOND);
}

static Io__Prometheus__Client__Timestamp *created_of(struct protobuf_point *messages,
                                                     const struct metric_point *point)
{
    set_time(&messages->created, point->created_ns);
    return point->created_ns > 0 ? &messages->created : NULL;
}

static void set_exemplar(struct protobuf_point *messages, struct bucket_messages *one,
                         const struct metric_exemplar *exemplar)
{
    one->bucket.exemplar = NULL;
    if (exemplar != NULL && exemplar->trace_id.length > 0 && exemplar->time_ns > 0) {
        one->label.value = string_of(&messages->strings, exemplar->trace_id);
        one->exemplar.value = exemplar->value;
        set_time(&one->time, exemplar->time_ns);
        one->bucket.exemplar = &one->exemplar;
        messages->exemplar_pointers[messages->histogram.n_exemplars++] = &one->exemplar;
    }
}

static void set_buckets(struct protobuf_point *messages, const struct metric_histogram *histogram)
{
    Io__Prometheus__Client__Histogram *message = &messages->histogram;
    uint64_t cumulative = 0;
    message->n_exemplars = 0;
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        struct bucket_messages *one = &messages->buckets[i];
        bool last = i == histogram->bound_count;
        cumulative += histogram->bucket_counts[i];
        one->bucket.cumulative_count = last ? histogram->count : cumulative;
        one->bucket.upper_bound = last ? INFINITY : histogram->bounds[i];
        set_exemplar(messages, one, histogram->exemplars == NULL ? NULL : &histogram->exemplars[i]);
    }
    message->bucket = messages->bucket_pointers;
    message->n_bucket = histogram->bound_count + 1;
}

/* Without these fields the message is a classic histogram. */
static void set_native(struct protobuf_point *messages, const struct metric_histogram *histogram)
{
    Io__Prometheus__Client__Histogram *message = &messages->histogram;
    native_histogram_buckets(histogram, messages->native_spans, &message->n_positive_span,
                             messages->deltas, &message->n_positive_delta);
    for (size_t i = 0; i < message->n_positive_span; i++) {
        messages->spans[i].offset = messages->native_spans[i].offset;
        messages->spans[i].length = messages->native_spans[i].length;
    }
    message->positive_span = messages->span_pointers;
    message->positive_delta = messages->deltas;
    message->schema = histogram->exponential->schema;
    message->zero_threshold = histogram->exponential->zero_threshold;
    message->zero_count = histogram->exponential->zero_count;
    message->exemplars = messages->exemplar_pointers;
}

static void set_classic(Io__Prometheus__Client__Histogram *message)
{
    message->n_positive_span = 0;
    message->n_positive_delta = 0;
    message->n_exemplars = 0;
    message->schema = 0;
    message->zero_threshold = 0;
    message->zero_count = 0;
}

static bool set_histogram(struct protobuf_point *messages, const struct metric_point *point,
                          bool native)
{
    const struct metric_histogram *histogram = &point->histogram;
    Io__Prometheus__Client__Histogram *message = &messages->histogram;
    native = native && histogram->exponential != NULL;
    if (!grow_buckets(messages, histogram->bound_count + 1) ||
        (native && !grow_native(messages, native_histogram_room(histogram)))) {
        return false;
    }
    message->sample_count = histogram->count;
    message->sample_sum = histogram->sum;
    message->created_timestamp = created_of(messages, point);
    set_buckets(messages, histogram);
    if (native) {
        set_native(messages, histogram);
    } else {
        set_classic(message);
    }
    messages->metric.histogram = message;
    return true;
}

static bool set_value(struct protobuf_point *messages, const struct metric_point *point,
                      enum metric_type type, bool native)
{
    messages->metric.counter = NULL;
    messages->metric.gauge = NULL;
    messages->metric.histogram = NULL;
    switch (type) {
    case METRIC_COUNTER:
        messages->counter.value = point->value;
        messages->counter.created_timestamp = created_of(messages, point);
        messages->metric.counter = &messages->counter;
        break;
    case METRIC_GAUGE:
        messages->gauge.value = point->value;
        messages->metric.gauge = &messages->gauge;
        break;
    case METRIC_HISTOGRAM:
        return set_histogram(messages, point, native);
    }
    return true;
}

size_t protobuf_point_make(struct protobuf_point *messages, const struct metric_point *point,
                           enum metric_type type, bool native)
{
    bool buckets = type == METRIC_HISTOGRAM && point->histogram.exemplars != NULL;
    const struct metric_exemplar *exemplars = buckets ? point->histogram.exemplars : NULL;
    size_t count = buckets ? point->histogram.bound_count + 1 : 0;
    if (!reserve_strings(messages, point, exemplars, count) || !set_labels(messages, point) ||
        !set_value(messages, point, type, native)) {
        return 0;
    }
    return io__prometheus__client__metric__get_packed_size(&messages->metric);
}

void protobuf_point_pack(const struct protobuf_point *messages, uint8_t *bytes_out)
{
    io__prometheus__client__metric__pack(&messages->metric, bytes_out);
}
