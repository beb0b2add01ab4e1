#include "exporters/otlp/otlp_points.h"

#include "exporters/otlp/otlp_names.h"

#include <stdlib.h>

/*
 * Each point is packed alone, with its resource beside it; how they stand together in a request is
 * decided when one is made (otlp_request.c). A family's own fields are packed once and for all.
 */

#define TRACE_ID_BYTES 16
#define DECIMAL 10

/* Fields that all kinds of points have. */
enum point_field {
    FIELD_START = 2,
    FIELD_TIME = 3,
    FIELD_COUNT = 4,
    FIELD_SUM = 5
};

/* NumberDataPoint */
enum number_field {
    NUMBER_DOUBLE = 4,
    NUMBER_INT = 6,
    NUMBER_ATTRIBUTES = 7
};

/* HistogramDataPoint */
enum explicit_field {
    EXPLICIT_COUNTS = 6,
    EXPLICIT_BOUNDS = 7,
    EXPLICIT_EXEMPLARS = 8,
    EXPLICIT_ATTRIBUTES = 9
};

/* ExponentialHistogramDataPoint, and its Buckets */
enum exponential_field {
    EXPONENTIAL_ATTRIBUTES = 1,
    EXPONENTIAL_SCALE = 6,
    EXPONENTIAL_ZERO_COUNT = 7,
    EXPONENTIAL_POSITIVE = 8,
    EXPONENTIAL_EXEMPLARS = 11,
    EXPONENTIAL_ZERO_THRESHOLD = 14,
    BUCKETS_OFFSET = 1,
    BUCKETS_COUNTS = 2
};

/* Exemplar; all but the id are of eight bytes. */
enum exemplar_field {
    EXEMPLAR_TIME = 2,
    EXEMPLAR_DOUBLE = 3,
    EXEMPLAR_TRACE_ID = 5
};

struct otlp_points {
    struct otlp_points_options options;
    struct otlp_family_table families;
    const struct metric_family *family; /* the one being written */
    struct byte_writer resource;
    struct byte_writer body;
    struct byte_writer buckets;
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
    otlp_delta_free(points->delta);
    byte_writer_fini(&points->resource);
    byte_writer_fini(&points->body);
    byte_writer_fini(&points->buckets);
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

/* Whom the point is about: what is in the labels, else the agent. */
static struct text resource_of(struct otlp_points *points, const struct metric_point *point)
{
    byte_writer_reset(&points->resource);
    for (size_t i = 0; i < point->label_count; i++) {
        struct otlp_label is = otlp_names_label(point->labels[i].name);
        if (is.kind == OTLP_LABEL_RESOURCE) {
            otlp_resource_add(&points->resource, is.attribute, point->labels[i].value);
        }
    }
    if (points->resource.length == 0) {
        return points->options.agent_resource;
    }
    otlp_resource_add_extras(&points->resource, &points->options.extras, false);
    return otlp_wire_written(&points->resource);
}

/* Attributes of the point itself, in a field of this number. */
static void add_labels(struct otlp_points *points, const struct metric_point *point, unsigned field)
{
    for (size_t i = 0; i < point->label_count; i++) {
        const struct metric_label *label = &point->labels[i];
        struct otlp_label is = otlp_names_label(label->name);
        switch (is.kind) {
        case OTLP_LABEL_TEXT:
            otlp_wire_attribute(&points->body, field, is.attribute, label->value);
            break;
        case OTLP_LABEL_NUMBER:
            if (label->value.length > 0) {
                otlp_wire_attribute_number(&points->body, field, is.attribute,
                                           number_of(label->value));
            }
            break;
        case OTLP_LABEL_RESOURCE:
            break;
        }
    }
}

/* ---- points ---- */

static bool is_exponential(const struct otlp_points *points, const struct metric_point *point)
{
    return points->family->type == METRIC_HISTOGRAM && !points->options.explicit_buckets &&
           point->histogram.exponential != NULL;
}

/* When the point's interval began; never behind its end, as clocks are set. */
static uint64_t start_of(const struct otlp_points *points, int64_t created_ns)
{
    int64_t start = created_ns > 0 ? created_ns : points->options.start_ns;
    return (uint64_t)(start < points->now_ns ? start : points->now_ns);
}

/* What stands in the body so far, the point's attributes, and whom it is about. */
static uint64_t key_of(const struct otlp_points *points, struct text resource, uint32_t family)
{
    uint64_t key = otlp_delta_key(points->delta, resource.data, resource.length, family);
    return otlp_delta_key(points->delta, points->body.data, points->body.length, key);
}

static void add_times(struct otlp_points *points, int64_t created_ns)
{
    otlp_wire_fixed64(&points->body, FIELD_START, start_of(points, created_ns));
    otlp_wire_fixed64(&points->body, FIELD_TIME, (uint64_t)points->now_ns);
}

/* Whole numbers where the family counts things, so that every point of it is of one kind. */
static void add_value(struct otlp_points *points, double value)
{
    const struct metric_family *family = points->family;
    bool counts = strcmp(family->unit, "seconds") != 0 &&
                  (family->type == METRIC_COUNTER || otlp_names_is_sum(family));
    if (counts) {
        otlp_wire_fixed64(&points->body, NUMBER_INT, (uint64_t)value);
    } else {
        otlp_wire_double(&points->body, NUMBER_DOUBLE, value);
    }
}

static enum otlp_delta_result pack_number(struct otlp_points *points,
                                          const struct metric_point *point, struct text resource,
                                          uint32_t family)
{
    bool sum = points->family->type == METRIC_COUNTER || otlp_names_is_sum(points->family);
    int64_t created = point->created_ns;
    double value = point->value;
    add_labels(points, point, NUMBER_ATTRIBUTES);
    if (points->delta != NULL && points->family->type == METRIC_COUNTER) {
        uint64_t key = key_of(points, resource, family);
        enum otlp_delta_result result = otlp_delta_number(points->delta, key, &value, &created);
        if (result != OTLP_DELTA_CHANGED) {
            return result;
        }
    }
    if (sum) {
        add_times(points, created);
    } else {
        otlp_wire_fixed64(&points->body, FIELD_TIME, (uint64_t)points->now_ns);
    }
    add_value(points, value);
    return OTLP_DELTA_CHANGED;
}

static void read_trace_id(struct text hex, char id[TRACE_ID_BYTES])
{
    for (size_t i = 0; i < (size_t)2 * TRACE_ID_BYTES; i++) {
        char c = hex.data[i];
        id[i / 2] = (char)((unsigned char)id[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
    }
}

static void add_exemplars(struct otlp_points *points, const struct metric_histogram *histogram,
                          unsigned field)
{
    /* Two numbers and an id, each behind its tag, the id behind its length too. */
    const size_t size = 2 * (1 + sizeof(uint64_t)) + otlp_wire_size(TRACE_ID_BYTES);
    for (size_t i = 0; histogram->exemplars != NULL && i <= histogram->bound_count; i++) {
        const struct metric_exemplar *exemplar = &histogram->exemplars[i];
        char id[TRACE_ID_BYTES] = {0};
        if (exemplar->trace_id.length == (size_t)2 * TRACE_ID_BYTES) {
            read_trace_id(exemplar->trace_id, id);
            otlp_wire_begin(&points->body, field, size);
            otlp_wire_fixed64(&points->body, EXEMPLAR_TIME, (uint64_t)exemplar->time_ns);
            otlp_wire_double(&points->body, EXEMPLAR_DOUBLE, exemplar->value);
            otlp_wire_bytes(&points->body, EXEMPLAR_TRACE_ID, (struct text){id, sizeof(id)});
        }
    }
}

static void add_distribution(struct otlp_points *points, const struct otlp_distribution *is,
                             int64_t created_ns)
{
    add_times(points, created_ns);
    otlp_wire_fixed64(&points->body, FIELD_COUNT, is->count);
    otlp_wire_double(&points->body, FIELD_SUM, is->sum);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* Eight bytes each, as this machine and the wire have them. */
static void add_packed(struct byte_writer *out, unsigned field, const void *numbers, size_t count)
{
    otlp_wire_bytes(out, field, (struct text){numbers, count * sizeof(uint64_t)});
}

static void pack_explicit(struct otlp_points *points, const struct metric_histogram *histogram,
                          const struct otlp_distribution *is, int64_t created_ns)
{
    add_distribution(points, is, created_ns);
    add_packed(&points->body, EXPLICIT_COUNTS, is->counts, is->buckets);
    add_packed(&points->body, EXPLICIT_BOUNDS, histogram->bounds, histogram->bound_count);
    add_exemplars(points, histogram, EXPLICIT_EXEMPLARS);
}

static void add_buckets(struct otlp_points *points, const struct otlp_distribution *is)
{
    struct byte_writer *buckets = &points->buckets;
    byte_writer_reset(buckets);
    otlp_wire_sint32(buckets, BUCKETS_OFFSET, (int32_t)is->first_index);
    otlp_wire_packed(buckets, BUCKETS_COUNTS, is->counts, is->buckets);
    otlp_wire_bytes(&points->body, EXPONENTIAL_POSITIVE, otlp_wire_written(buckets));
    points->body.failed |= buckets->failed;
}

static void pack_exponential(struct otlp_points *points, const struct metric_histogram *histogram,
                             const struct otlp_distribution *is, int64_t created_ns)
{
    struct byte_writer *out = &points->body;
    add_distribution(points, is, created_ns);
    otlp_wire_sint32(out, EXPONENTIAL_SCALE, is->schema);
    otlp_wire_fixed64(out, EXPONENTIAL_ZERO_COUNT, is->zero_count);
    if (is->buckets > 0) {
        add_buckets(points, is);
    }
    if (histogram->exponential->zero_threshold > 0) {
        otlp_wire_double(out, EXPONENTIAL_ZERO_THRESHOLD, histogram->exponential->zero_threshold);
    }
    add_exemplars(points, histogram, EXPONENTIAL_EXEMPLARS);
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
                                             const struct metric_point *point, struct text resource,
                                             uint32_t family)
{
    const struct metric_histogram *histogram = &point->histogram;
    bool exponential = is_exponential(points, point);
    struct otlp_distribution is =
        exponential ? exponential_of(histogram)
                    : (struct otlp_distribution){.count = histogram->count,
                                                 .sum = histogram->sum,
                                                 .counts = histogram->bucket_counts,
                                                 .buckets = histogram->bound_count + 1};
    int64_t created = point->created_ns;
    add_labels(points, point, exponential ? EXPONENTIAL_ATTRIBUTES : EXPLICIT_ATTRIBUTES);
    if (points->delta != NULL) {
        uint64_t key = key_of(points, resource, family);
        enum otlp_delta_result result = otlp_delta_distribution(points->delta, key, &is, &created);
        if (result != OTLP_DELTA_CHANGED) {
            return result;
        }
    }
    if (exponential) {
        pack_exponential(points, histogram, &is, created);
    } else {
        pack_explicit(points, histogram, &is, created);
    }
    return OTLP_DELTA_CHANGED;
}

/* ---- the sink ---- */

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
    if (family < OTLP_FAMILIES_MAX && !points->resource.failed) {
        result = points->family->type == METRIC_HISTOGRAM
                     ? pack_histogram(points, point, resource, family)
                     : pack_number(points, point, resource, family);
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
