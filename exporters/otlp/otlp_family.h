#pragma once

#include "exporters/metric_set.h"
#include "exporters/otlp/otlp_names.h"
#include "exporters/otlp/otlp_wire.h"

/* Families that a metric set may have; more are left out. */
#define OTLP_FAMILIES_MAX 256

/* Fields of Metric: what its points are. */
enum otlp_data_field {
    OTLP_DATA_GAUGE = 5,
    OTLP_DATA_SUM = 7,
    OTLP_DATA_HISTOGRAM = 9,
    OTLP_DATA_EXPONENTIAL = 10
};

/* A metric without its points. */
struct otlp_family {
    char name[OTLP_NAME_SIZE]; /* as in the metric set */
    enum otlp_data_field data_field;
    struct byte_writer head;  /* name, description, unit: fields of Metric */
    struct byte_writer trail; /* temporality and so on: fields behind data_points */
};

/* All that were met so far, packed once, by number. Zeroed but for `delta`: none yet. Written by
 * one thread; another may read the family of a number that it was told. */
struct otlp_family_table {
    struct otlp_family *families[OTLP_FAMILIES_MAX];
    uint32_t count;
    bool delta; /* temporality of what only grows */
};

void otlp_family_table_fini(struct otlp_family_table *table);

/* The family's number; OTLP_FAMILIES_MAX: there is no room for it. */
uint32_t otlp_family_intern(struct otlp_family_table *table, const struct metric_family *family,
                            enum otlp_data_field data_field);
