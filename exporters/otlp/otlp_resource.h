#pragma once

#include "exporters/otlp/otlp_wire.h"

/* An attribute that every resource gets: what the user says of the whole agent. */
struct otlp_extra {
    struct text key; /* ended by a NUL behind it */
    struct text value;
};

/* Attributes that users may add. */
#define OTLP_EXTRAS_MAX 16

/* All of them; they outlive whoever uses this. */
struct otlp_extras {
    const struct otlp_extra *items;
    size_t count;
};

/* The agent itself, as a service. */
struct otlp_agent {
    struct text name;
    struct text version;
    struct text host;
};

/*
 * Resource messages say whom metrics and spans are about. They are written attribute by attribute,
 * with these; an empty value is left out.
 */
void otlp_resource_add(struct byte_writer *out, const char *key, struct text value);

/* Behind the others, which they do not change: the extras. Those that name a service are for the
 * agent's own resource alone. */
void otlp_resource_add_extras(struct byte_writer *out, const struct otlp_extras *extras,
                              bool agent);

/* The agent's own, whole. */
void otlp_resource_append_agent(struct byte_writer *out, const struct otlp_agent *agent,
                                const struct otlp_extras *extras);
