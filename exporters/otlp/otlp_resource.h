#pragma once

#include "exporters/otlp/otlp_message.h"

/* An attribute that every resource gets: what the user says of the whole agent. */
struct otlp_extra {
    struct text key;
    struct text value;
};

/* Attributes that users may add. */
#define OTLP_EXTRAS_MAX 16

/* The agent itself, as a service. */
struct otlp_agent {
    struct text name;
    struct text version;
    struct text host;
};

/*
 * Writes Resource messages, whom metrics and spans are about: what is added, and the extras behind
 * it, which change nothing of it. For one thread.
 */
struct otlp_resource {
    struct otlp_attributes attributes;
    const struct otlp_extra *extras; /* outlive this */
    size_t extra_count;
    size_t extra_bytes;
    char *keys; /* the extras' as C strings */
};

/* Returns 0 or -ENOMEM. More than OTLP_EXTRAS_MAX extras are left out. */
int otlp_resource_init(struct otlp_resource *resource, const struct otlp_extra *extras,
                       size_t count);
void otlp_resource_fini(struct otlp_resource *resource);

/* Begins one, with texts of `bytes` bytes altogether. False: no memory. */
bool otlp_resource_begin(struct otlp_resource *resource, size_t bytes);

/* `key` outlives the call of otlp_resource_end. An empty value is left out. */
void otlp_resource_add(struct otlp_resource *resource, const char *key, struct text value);

/* Appends the message. Extras that name a service are for the agent's own resource alone. */
void otlp_resource_end(struct otlp_resource *resource, bool agent, struct byte_writer *out);

/* Appends the agent's own resource. */
void otlp_resource_append_agent(struct otlp_resource *resource, const struct otlp_agent *agent,
                                struct byte_writer *out);
