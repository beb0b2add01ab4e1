#include "exporters/otlp/otlp_sampler.h"

#include "exporters/otlp/otlp_random.h"
#include "exporters/otlp/otlp_span.h"

#include <fnmatch.h>
#include <stdlib.h>

/*
 * What is slow for a service is one number that follows its durations: up by 99 steps for each that
 * is above it, down by one for each that is not. It stays where one in a hundred is above, forgets,
 * and needs no window. Workers share the numbers without a lock: that an update is lost now and
 * then moves nothing.
 */

/* A step is a share of the number itself, so that it works for microseconds and minutes; larger
 * while a service is new. */
#define STEP_SHARE 12800
#define EARLY_STEP_SHARE 3200
#define QUANTILE_STEPS 99
/* Before so many exchanges nobody knows what is slow; and so long a service is new. */
#define WARM_UP 100
#define EARLY 1000
/* Places that are looked at before a service counts among the others. */
#define PROBES 8
/* Longest name that globs are matched against; Kubernetes' are at most 253. */
#define NAME_SIZE 256
/* W3C Trace Context Level 2: the last 56 bits of a trace id are random. */
#define RANDOM_BITS 56
#define RANDOM_DIGITS (RANDOM_BITS / 4)

struct service {
    _Atomic uint64_t key; /* hash of its names; 0: free */
    _Atomic uint64_t slow_ns;
    _Atomic uint32_t seen;
    _Atomic int32_t rule; /* index + 1; 0: not looked for yet, -1: none fits */
};

struct otlp_sampler {
    struct otlp_sampler_options options;
    struct service others;
    struct service services[OTLP_SAMPLER_SERVICES];
};

struct otlp_sampler *otlp_sampler_new(const struct otlp_sampler_options *options)
{
    struct otlp_sampler *sampler = calloc(1, sizeof(*sampler));
    if (sampler != NULL) {
        sampler->options = *options;
    }
    return sampler;
}

void otlp_sampler_free(struct otlp_sampler *sampler)
{
    free(sampler);
}

/* ---- services ---- */

/* FNV-1a. */
static uint64_t hash_text(uint64_t hash, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static struct service *find_service(struct otlp_sampler *sampler, struct text namespace,
                                    struct text name)
{
    uint64_t key = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), namespace), name) | 1;
    for (unsigned i = 0; i < PROBES; i++) {
        struct service *service = &sampler->services[(key / 2 + i) % OTLP_SAMPLER_SERVICES];
        uint64_t found = atomic_load_explicit(&service->key, memory_order_relaxed);
        if (found == 0 && atomic_compare_exchange_strong(&service->key, &found, key)) {
            return service;
        }
        if (found == key) {
            return service;
        }
    }
    return &sampler->others;
}

/* True: slower than 99 % of the others lately. */
static bool is_slow(struct service *service, uint64_t duration_ns)
{
    uint64_t slow = atomic_load_explicit(&service->slow_ns, memory_order_relaxed);
    uint32_t seen = atomic_load_explicit(&service->seen, memory_order_relaxed);
    uint64_t step = slow / (seen < EARLY ? EARLY_STEP_SHARE : STEP_SHARE) + 1;
    bool above = duration_ns > slow;
    if (seen == 0) {
        slow = duration_ns;
    } else if (above) {
        slow += step * QUANTILE_STEPS;
    } else {
        slow -= slow > step ? step : 0;
    }
    atomic_store_explicit(&service->slow_ns, slow, memory_order_relaxed);
    if (seen < EARLY) {
        atomic_store_explicit(&service->seen, seen + 1, memory_order_relaxed);
    }
    return above && seen >= WARM_UP;
}

/* ---- shares ---- */

static bool fits(const char *glob, struct text text)
{
    char name[NAME_SIZE];
    if (glob == NULL) {
        return true;
    }
    if (text.length >= sizeof(name)) {
        return false;
    }
    if (text.length > 0) {
        memcpy(name, text.data, text.length);
    }
    name[text.length] = '\0';
    return fnmatch(glob, name, 0) == 0;
}

static int32_t find_rule(const struct otlp_sampler_options *options, struct text namespace,
                         struct text name)
{
    for (size_t i = 0; i < options->rule_count; i++) {
        if (fits(options->rules[i].namespace, namespace) && fits(options->rules[i].service, name)) {
            return (int32_t)i + 1;
        }
    }
    return -1;
}

static double ratio_of(struct otlp_sampler *sampler, struct service *service, struct text namespace,
                       struct text name)
{
    bool known = service != &sampler->others;
    int32_t rule = known ? atomic_load_explicit(&service->rule, memory_order_relaxed) : 0;
    if (rule == 0) {
        rule = find_rule(&sampler->options, namespace, name);
    }
    if (known) {
        atomic_store_explicit(&service->rule, rule, memory_order_relaxed);
    }
    return rule > 0 ? sampler->options.rules[rule - 1].ratio : sampler->options.ratio;
}

/* 56 bits that are the same for everybody who sees the trace, or of our own. */
static uint64_t randomness_of(struct text trace_id)
{
    static _Thread_local struct otlp_random random;
    static _Thread_local bool seeded;
    uint64_t value = 0;
    if (trace_id.length >= RANDOM_DIGITS) {
        for (size_t i = trace_id.length - RANDOM_DIGITS; i < trace_id.length; i++) {
            char c = trace_id.data[i];
            value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        return value;
    }
    if (!seeded) {
        otlp_random_init(&random);
        seeded = true;
    }
    return otlp_random_id(&random) >> (64 - RANDOM_BITS);
}

static bool is_in_share(struct text trace_id, double ratio)
{
    /* Compared as whole numbers: a double would round the largest ids up to the whole. */
    uint64_t rejected = (uint64_t)((1 - ratio) * (double)(UINT64_C(1) << RANDOM_BITS));
    return randomness_of(trace_id) >= rejected;
}

bool otlp_sampler_wants(struct otlp_sampler *sampler, const struct exchange_record *record)
{
    bool server = otlp_span_is_server(record);
    struct text namespace = server ? record->server_namespace : record->client_namespace;
    struct text name = server ? record->server_service : record->client_service;
    struct service *service = find_service(sampler, namespace, name);
    uint64_t threshold = sampler->options.slower_than_ns;
    bool slow = false;
    if (record->duration_ns != RECORD_UNKNOWN) {
        slow =
            threshold > 0 ? record->duration_ns > threshold : is_slow(service, record->duration_ns);
    }
    if (slow || otlp_span_failed(record)) {
        return true;
    }
    switch (record->sampling) {
    case RECORD_NOT_SAMPLED:
        return false;
    case RECORD_SAMPLED:
        return true;
    case RECORD_SAMPLING_OPEN:
        break;
    }
    return is_in_share(record->trace_id, ratio_of(sampler, service, namespace, name));
}
