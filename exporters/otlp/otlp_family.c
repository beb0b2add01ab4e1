#include "exporters/otlp/otlp_family.h"

#include <stdlib.h>

/* Fields of Metric; aggregation_temporality and is_monotonic are alike in all kinds of it. */
enum field {
    FIELD_NAME = 1,
    FIELD_DESCRIPTION = 2,
    FIELD_UNIT = 3,
    FIELD_TEMPORALITY = 2,
    FIELD_MONOTONIC = 3
};

enum temporality {
    TEMPORALITY_DELTA = 1,
    TEMPORALITY_CUMULATIVE = 2
};

static void free_family(struct otlp_family *family)
{
    byte_writer_fini(&family->head);
    byte_writer_fini(&family->trail);
    free(family);
}

void otlp_family_table_fini(struct otlp_family_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        free_family(table->families[i]);
    }
    table->count = 0;
}

/* A sum that goes up and down is told as it stands, whatever the others are told as. */
static void append_trail(const struct otlp_family_table *table, const struct metric_family *family,
                         struct otlp_family *made)
{
    bool monotonic = made->data_field == OTLP_DATA_SUM && family->type == METRIC_COUNTER;
    bool delta = table->delta && (monotonic || made->data_field != OTLP_DATA_SUM);
    if (made->data_field == OTLP_DATA_GAUGE) {
        return;
    }
    otlp_wire_varint(&made->trail, FIELD_TEMPORALITY,
                     delta ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE);
    if (monotonic) {
        otlp_wire_varint(&made->trail, FIELD_MONOTONIC, 1);
    }
}

static void append_head(const struct metric_family *family, struct otlp_family *made)
{
    char name[OTLP_NAME_SIZE];
    otlp_names_metric(family, name);
    otlp_wire_text(&made->head, FIELD_NAME, text_of(name));
    otlp_wire_text(&made->head, FIELD_DESCRIPTION, text_of(family->help));
    otlp_wire_text(&made->head, FIELD_UNIT, text_of(otlp_names_unit(family)));
}

static struct otlp_family *new_family(const struct otlp_family_table *table,
                                      const struct metric_family *family,
                                      enum otlp_data_field data_field)
{
    struct otlp_family *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    memcpy(made->name, family->name, strlen(family->name) + 1);
    made->data_field = data_field;
    append_head(family, made);
    append_trail(table, family, made);
    if (made->head.failed || made->trail.failed) {
        free_family(made);
        return NULL;
    }
    return made;
}

uint32_t otlp_family_intern(struct otlp_family_table *table, const struct metric_family *family,
                            enum otlp_data_field data_field)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct otlp_family *known = table->families[i];
        if (known->data_field == data_field && strcmp(known->name, family->name) == 0) {
            return i;
        }
    }
    if (table->count == OTLP_FAMILIES_MAX || strlen(family->name) >= OTLP_NAME_SIZE) {
        return OTLP_FAMILIES_MAX;
    }
    struct otlp_family *made = new_family(table, family, data_field);
    if (made == NULL) {
        return OTLP_FAMILIES_MAX;
    }
    table->families[table->count] = made;
    return table->count++;
}
