#include "exporters/otlp/otlp_resource.h"

#define FIELD_ATTRIBUTES 1

/* What names a service names this agent. */
static bool is_own(const char *key)
{
    return strncmp(key, "service.", strlen("service.")) == 0;
}

static uint64_t take_varint(const char **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    unsigned char byte;
    do {
        byte = (unsigned char)*(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    return value;
}

/* Whether an attribute of this key was written: each is a KeyValue that begins with its key. */
static bool is_told(const struct byte_writer *out, struct text key)
{
    const char *at = out->data;
    const char *end = at + out->length;
    while (at < end) {
        take_varint(&at);
        size_t length = take_varint(&at);
        const char *next = at + length;
        take_varint(&at);
        if (take_varint(&at) == key.length && memcmp(at, key.data, key.length) == 0) {
            return true;
        }
        at = next;
    }
    return false;
}

void otlp_resource_add(struct byte_writer *out, const char *key, struct text value)
{
    otlp_wire_attribute(out, FIELD_ATTRIBUTES, key, value);
}

void otlp_resource_add_extras(struct byte_writer *out, const struct otlp_extras *extras, bool agent)
{
    for (size_t i = 0; i < extras->count && !out->failed; i++) {
        const struct otlp_extra *extra = &extras->items[i];
        if ((agent || !is_own(extra->key.data)) && !is_told(out, extra->key)) {
            otlp_resource_add(out, extra->key.data, extra->value);
        }
    }
}

void otlp_resource_append_agent(struct byte_writer *out, const struct otlp_agent *agent,
                                const struct otlp_extras *extras)
{
    otlp_resource_add(out, "service.name", agent->name);
    otlp_resource_add(out, "service.version", agent->version);
    otlp_resource_add(out, "host.name", agent->host);
    otlp_resource_add_extras(out, extras, true);
}
