#include "exporters/otlp/otlp_resource.h"

#include <errno.h>
#include <stdlib.h>

int otlp_resource_init(struct otlp_resource *resource, const struct otlp_extra *extras,
                       size_t count)
{
    count = count < OTLP_EXTRAS_MAX ? count : OTLP_EXTRAS_MAX;
    size_t key_bytes = 1;
    *resource = (struct otlp_resource){.extras = extras, .extra_count = count};
    for (size_t i = 0; i < count; i++) {
        resource->extra_bytes += extras[i].value.length;
        key_bytes += extras[i].key.length + 1;
    }
    otlp_attributes_init(&resource->attributes);
    resource->keys = malloc(key_bytes);
    if (resource->keys == NULL) {
        return -ENOMEM;
    }
    char *at = resource->keys;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, extras[i].key.data, extras[i].key.length);
        at[extras[i].key.length] = '\0';
        at += extras[i].key.length + 1;
    }
    return 0;
}

void otlp_resource_fini(struct otlp_resource *resource)
{
    otlp_attributes_fini(&resource->attributes);
    free(resource->keys);
    resource->keys = NULL;
}

static bool has(const struct otlp_attributes *attributes, const char *key)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (strcmp(attributes->pairs[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* A name that the user gave the agent is not the name of what it watches. */
static bool is_own(const char *key)
{
    return strcmp(key, "service.name") == 0 || strcmp(key, "service.namespace") == 0 ||
           strcmp(key, "service.version") == 0 || strcmp(key, "service.instance.id") == 0;
}

static void add_extras(struct otlp_resource *resource, bool agent)
{
    const char *key = resource->keys;
    for (size_t i = 0; i < resource->extra_count; i++) {
        if (!has(&resource->attributes, key) && (agent || !is_own(key))) {
            otlp_attributes_text(&resource->attributes, key, resource->extras[i].value);
        }
        key += resource->extras[i].key.length + 1;
    }
}

bool otlp_resource_begin(struct otlp_resource *resource, size_t bytes)
{
    return otlp_attributes_begin(&resource->attributes, bytes + resource->extra_bytes);
}

void otlp_resource_add(struct otlp_resource *resource, const char *key, struct text value)
{
    otlp_attributes_text(&resource->attributes, key, value);
}

void otlp_resource_end(struct otlp_resource *resource, bool agent, struct byte_writer *out)
{
    otlp_resource_message message;
    add_extras(resource, agent);
    opentelemetry__proto__resource__v1__resource__init(&message);
    message.n_attributes = resource->attributes.count;
    message.attributes = resource->attributes.list;
    otlp_message_append(out, &message.base);
}

void otlp_resource_append_agent(struct otlp_resource *resource, const struct otlp_agent *agent,
                                struct byte_writer *out)
{
    size_t bytes = agent->name.length + agent->version.length + agent->host.length;
    if (!otlp_resource_begin(resource, bytes)) {
        out->failed = true;
        return;
    }
    otlp_resource_add(resource, "service.name", agent->name);
    otlp_resource_add(resource, "service.version", agent->version);
    otlp_resource_add(resource, "host.name", agent->host);
    otlp_resource_end(resource, true, out);
}
