#include "exporters/otlp/otlp_points.h"

#include "exporters/otlp/otlp_names.h"

#include <stdlib.h>

/*
 * Each point is packed alone, with its resource beside it; how they stand together in a request is
 * decided when one is made (otlp_request.c). A family's own fields are packed once and for all.
 */

#define TRACE_ID_BYTES 16
#define EXEMPLARS_MAX 64
#define DECIMAL 10

struct otlp_points {
    struct otlp_points_options options;
    struct otlp_family_table families;
    const struct metric_family *family; /* the one being written */
    struct otlp_attributes attributes;
    struct byte_writer resource;
    struct byte_writer body;
    struct otlp_delta *delta; /* NULL: cumulative */
    int64_t now_ns;
};

struct otlp_points *otlp_points_new(const struct otlp_points_options *options)
{
    struct otlp_points *points = calloc(1, sizeof(*points));
    if (points == NULL) {
        return NULL;
    }
    points->options = *options;
    otlp_attributes_init(&points->attributes);
    points->families.delta = options->delta;
    if (options->delta) {
        points->delta = otlp_delta_new(options->max_series);
        if (points->delta == NULL) {
            otlp_points_free(points);
            return NULL;
        }
    }
    return points;
}

void otlp_points_free(struct otlp_points *points)
{
    if (points == NULL) {
        return;
    }
    otlp_family_table_fini(&points->families);
    otlp_attributes_fini(&points->attributes);
    otlp_delta_free(points->delta);
    byte_writer_fini(&points->resource);
    byte_writer_fini(&points->body);
    free(points);
}

struct otlp_family *const *otlp_points_families(const struct otlp_points *points)
{
    return points->families.families;
}

/* ---- labels ---- */

static int64_t number_of(struct text text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.length && i < DECIMAL; i++) {
        number = number * DECIMAL + (text.data[i] - '0');
    }
    return number;
}

static size_t label_bytes(const struct metric_point *point)
{
    size_t bytes = 0;
    for (size_t i = 0; i < point->label_count; i++) {
        bytes += point->labels[i].value.length;
    }
    return bytes;
}

/* Whom the point is about: what is in the labels, else the agent. */
static struct text resource_of(struct otlp_points *points, const struct metric_point *point)
{
    struct otlp_resource *resource = points->options.resource;
    bool any = false;
    byte_writer_reset(&points->resource);
    for (size_t i = 0; i < point->label_count; i++) {
        const struct metric_label *label = &point->labels[i];
        struct otlp_label is = otlp_names_label(label->name);
        if (is.kind != OTLP_LABEL_RESOURCE || label->value.length == 0) {
            continue;
        }
        if (!any && !otlp_resource_begin(resource, label_bytes(point))) {
            points->resource.failed = true;
            return (struct text){0};
        }
        any = true;
        otlp_resource_add(resource, is.attribute, label->value);
    }
    if (!any) {
        return points->options.agent_resource;
    }
    otlp_resource_end(resource, false, &points->resource);
    return (struct text){points->resource.data, points->resource.length};
}

static bool add_labels(struct otlp_points *points, const struct metric_point *point)
{
    if (!otlp_attributes_begin(&points->attributes, label_bytes(point))) {
        return false;
    }
    for (size_t i = 0; i < point->label_count; i++) {
        const struct metric_label *label = &point->labels[i];
        struct otlp_label is = otlp_names_label(label->name);
        switch (is.kind) {
        case OTLP_LABEL_TEXT:
            otlp_attributes_text(&points->attributes, is.attribute, label->value);
            break;
        case OTLP_LABEL_NUMBER:
            if (label->value.length > 0) {
                otlp_attributes_number(&points->attributes, is.attribute, number_of(label->value));
            }
            break;
        case OTLP_LABEL_RESOURCE:
            break;
        }
    }
    return true;
}

/* ---- points ---- */

/* When the point's interval began; never behind its end, as clocks are set. */
static uint64_t start_of(const struct otlp_points *points, int64_t created_ns)
{
    int64_t start = created_ns > 0 ? created_ns : points->options.start_ns;
    return (uint64_t)(start < points->now_ns ? start : points->now_ns);
}

static uint64_t key_of(const struct otlp_points *points, const struct text *resource,
                       uint32_t family)
{
    const struct otlp_attributes *attributes = &points->attributes;
    uint64_t key = otlp_delta_key(points->delta, resource->data, resource->length, family);
    for (size_t i = 0; i < attributes->count; i++) {
        const otlp_any_value *value = &attributes->values[i];
        bool number =
            value->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
        const char *name = attributes->pairs[i].key;
        key = otlp_delta_key(points->delta, name, strlen(name) + 1, key);
        key = number ? otlp_delta_key(points->delta, &value->int_value, sizeof(int64_t), key)
                     : otlp_delta_key(points->delta, value->string_value,
                                      strlen(value->string_value) + 1, key);
    }
    return key;
}

/* Whole numbers where the family counts things, so that every point of it is of one kind. */
static void set_value(const struct otlp_points *points, double value, otlp_number_point *message)
{
    const struct metric_family *family = points->family;
    bool counts = strcmp(family->unit, "seconds") != 0 &&
                  (family->type == METRIC_COUNTER || otlp_names_is_sum(family));
    if (counts) {
        message->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_INT;
        message->as_int = (int64_t)value;
    } else {
        message->value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
        message->as_double = value;
    }
}

static enum otlp_delta_result pack_number(struct otlp_points *points,
                                          const struct metric_point *point, uint64_t key)
{
    bool sum = points->family->type == METRIC_COUNTER || otlp_names_is_sum(points->family);
    int64_t created = point->created_ns;
    double value = point->value;
    if (points->delta != NULL && points->family->type == METRIC_COUNTER) {
        enum otlp_delta_result result = otlp_delta_number(points->delta, key, &value, &created);
        if (result != OTLP_DELTA_CHANGED) {
            return result;
        }
    }
    otlp_number_point message;
    opentelemetry__proto__metrics__v1__number_data_point__init(&message);
    message.n_attributes = points->attributes.count;
    message.attributes = points->attributes.list;
    message.start_time_unix_nano = sum ? start_of(points, created) : 0;
    message.time_unix_nano = (uint64_t)points->now_ns;
    set_value(points, value, &message);
    otlp_message_append(&points->body, &message.base);
    return OTLP_DELTA_CHANGED;
}

struct exemplars {
    otlp_exemplar messages[EXEMPLARS_MAX];
    otlp_exemplar *list[EXEMPLARS_MAX];
    uint8_t ids[EXEMPLARS_MAX][TRACE_ID_BYTES];
    size_t count;
};

static void read_trace_id(struct text hex, uint8_t id[TRACE_ID_BYTES])
{
    for (size_t i = 0; i < (size_t)2 * TRACE_ID_BYTES; i++) {
        char c = hex.data[i];
        id[i / 2] = (uint8_t)(id[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
    }
}

/* Those of this report's interval. */
static void take_exemplars(const struct metric_histogram *histogram, struct exemplars *taken)
{
    taken->count = 0;
    for (size_t i = 0; histogram->exemplars != NULL && i <= histogram->bound_count; i++) {
        const struct metric_exemplar *exemplar = &histogram->exemplars[i];
        if (exemplar->trace_id.length != (size_t)2 * TRACE_ID_BYTES ||
            taken->count == EXEMPLARS_MAX) {
            continue;
        }
        otlp_exemplar *message = &taken->messages[taken->count];
        opentelemetry__proto__metrics__v1__exemplar__init(message);
        read_trace_id(exemplar->trace_id, taken->ids[taken->count]);
        message->trace_id = (ProtobufCBinaryData){TRACE_ID_BYTES, taken->ids[taken->count]};
        message->time_unix_nano = (uint64_t)exemplar->time_ns;
        message->value_case = OPENTELEMETRY__PROTO__METRICS__V1__EXEMPLAR__VALUE_AS_DOUBLE;
        message->as_double = exemplar->value;
        taken->list[taken->count++] = message;
    }
}

static void pack_explicit(struct otlp_points *points, const struct metric_histogram *histogram,
                          const struct otlp_distribution *is, uint64_t start_ns)
{
    struct exemplars exemplars;
    otlp_histogram_point message;
    opentelemetry__proto__metrics__v1__histogram_data_point__init(&message);
    take_exemplars(histogram, &exemplars);
    message.n_attributes = points->attributes.count;
    message.attributes = points->attributes.list;
    message.start_time_unix_nano = start_ns;
    message.time_unix_nano = (uint64_t)points->now_ns;
    message.count = is->count;
    message.total_case = OPENTELEMETRY__PROTO__METRICS__V1__HISTOGRAM_DATA_POINT__TOTAL_SUM;
    message.sum = is->sum;
    message.n_bucket_counts = is->buckets;
    memcpy(&message.bucket_counts, &is->counts, sizeof(is->counts));
    message.n_explicit_bounds = histogram->bound_count;
    memcpy(&message.explicit_bounds, &histogram->bounds, sizeof(histogram->bounds));
    message.n_exemplars = exemplars.count;
    message.exemplars = exemplars.list;
    otlp_message_append(&points->body, &message.base);
}

static void pack_exponential(struct otlp_points *points, const struct metric_histogram *histogram,
                             const struct otlp_distribution *is, uint64_t start_ns)
{
    struct exemplars exemplars;
    otlp_buckets buckets;
    otlp_exponential_point message;
    opentelemetry__proto__metrics__v1__exponential_histogram_data_point__init(&message);
    opentelemetry__proto__metrics__v1__exponential_histogram_data_point__buckets__init(&buckets);
    take_exemplars(histogram, &exemplars);
    message.n_attributes = points->attributes.count;
    message.attributes = points->attributes.list;
    message.start_time_unix_nano = start_ns;
    message.time_unix_nano = (uint64_t)points->now_ns;
    message.count = is->count;
    message.total_case =
        OPENTELEMETRY__PROTO__METRICS__V1__EXPONENTIAL_HISTOGRAM_DATA_POINT__TOTAL_SUM;
    message.sum = is->sum;
    message.scale = is->schema;
    message.zero_count = is->zero_count;
    message.zero_threshold = histogram->exponential->zero_threshold;
    buckets.offset = (int32_t)is->first_index;
    buckets.n_bucket_counts = is->buckets;
    memcpy(&buckets.bucket_counts, &is->counts, sizeof(is->counts));
    message.positive = is->buckets > 0 ? &buckets : NULL;
    message.n_exemplars = exemplars.count;
    message.exemplars = exemplars.list;
    otlp_message_append(&points->body, &message.base);
}

static struct otlp_distribution exponential_of(const struct metric_histogram *histogram)
{
    const struct metric_exponential *exponential = histogram->exponential;
    struct otlp_distribution is = {.count = histogram->count,
                                   .sum = histogram->sum,
                                   .schema = exponential->schema,
                                   .first_index = exponential->first_index,
                                   .counts = exponential->counts,
                                   .buckets = exponential->count};
    uint64_t above_zero = 0;
    for (size_t i = 0; i < exponential->count; i++) {
        above_zero += exponential->counts[i];
    }
    is.zero_count = is.count - above_zero;
    return is;
}

static enum otlp_delta_result pack_histogram(struct otlp_points *points,
                                             const struct metric_point *point, uint64_t key,
                                             bool exponential)
{
    const struct metric_histogram *histogram = &point->histogram;
    struct otlp_distribution is =
        exponential ? exponential_of(histogram)
                    : (struct otlp_distribution){.count = histogram->count,
                                                 .sum = histogram->sum,
                                                 .counts = histogram->bucket_counts,
                                                 .buckets = histogram->bound_count + 1};
    int64_t created = point->created_ns;
    if (points->delta != NULL) {
        enum otlp_delta_result result = otlp_delta_distribution(points->delta, key, &is, &created);
        if (result != OTLP_DELTA_CHANGED) {
            return result;
        }
    }
    if (exponential) {
        pack_exponential(points, histogram, &is, start_of(points, created));
    } else {
        pack_explicit(points, histogram, &is, start_of(points, created));
    }
    return OTLP_DELTA_CHANGED;
}

/* ---- the sink ---- */

static bool is_exponential(const struct otlp_points *points, const struct metric_point *point)
{
    return points->family->type == METRIC_HISTOGRAM && !points->options.explicit_buckets &&
           point->histogram.exponential != NULL;
}

static enum otlp_data_field data_field_of(const struct otlp_points *points,
                                          const struct metric_point *point)
{
    switch (points->family->type) {
    case METRIC_COUNTER:
        return OTLP_DATA_SUM;
    case METRIC_GAUGE:
        return otlp_names_is_sum(points->family) ? OTLP_DATA_SUM : OTLP_DATA_GAUGE;
    case METRIC_HISTOGRAM:
        break;
    }
    return is_exponential(points, point) ? OTLP_DATA_EXPONENTIAL : OTLP_DATA_HISTOGRAM;
}

static void emit(const struct otlp_points *points, struct text resource, uint32_t family)
{
    struct otlp_item item = {.resource_length = (uint32_t)resource.length,
                             .body_length = (uint32_t)points->body.length,
                             .family = family};
    const struct text parts[] = {
        {(const char *)&item, sizeof(item)}, resource, {points->body.data, points->body.length}};
    points->options.emit(points->options.context, parts, sizeof(parts) / sizeof(parts[0]));
}

static void take_family(void *context, const struct metric_family *family)
{
    struct otlp_points *points = context;
    points->family = family;
}

static void take_point(void *context, const struct metric_point *point)
{
    struct otlp_points *points = context;
    uint32_t family =
        otlp_family_intern(&points->families, points->family, data_field_of(points, point));
    struct text resource = resource_of(points, point);
    enum otlp_delta_result result = OTLP_DELTA_FULL;
    byte_writer_reset(&points->body);
    if (family < OTLP_FAMILIES_MAX && !points->resource.failed && add_labels(points, point)) {
        uint64_t key = points->delta != NULL ? key_of(points, &resource, family) : 0;
        result = points->family->type == METRIC_HISTOGRAM
                     ? pack_histogram(points, point, key, is_exponential(points, point))
                     : pack_number(points, point, key);
    }
    if (result == OTLP_DELTA_CHANGED && !points->body.failed) {
        emit(points, resource, family);
    } else if (result != OTLP_DELTA_SAME) {
        points->options.lose(points->options.context);
    }
}

struct metric_sink otlp_points_begin(struct otlp_points *points, int64_t now_ns)
{
    points->now_ns = now_ns;
    if (points->delta != NULL) {
        otlp_delta_begin(points->delta, now_ns);
    }
    return (struct metric_sink){.context = points, .family = take_family, .point = take_point};
}

void otlp_points_end(struct otlp_points *points)
{
    points->family = NULL;
    if (points->delta != NULL) {
        otlp_delta_end(points->delta);
    }
}
