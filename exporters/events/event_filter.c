#include "exporters/events/event_filter.h"

#include <stdatomic.h>
#include <stdlib.h>

/*
 * The rate is kept by what is called the generic cell rate algorithm: each service has one number,
 * the time at which its next event is due if it kept to the rate; an event passes when that is not
 * more than a burst ahead of now. One compare-and-exchange, and idle services need no sweeping.
 *
 * Services are told apart by a hash of their name. The table never grows: services that find no
 * place near their own share the last one there, and so a rate.
 */

#define NS_PER_SECOND INT64_C(1000000000)
/* A power of two; more services than this see each other's rate. */
#define PLACES 4096
#define PROBES 16

struct place {
    _Atomic uint64_t hash; /* 0: free */
    _Atomic int64_t due_ns;
};

enum filtered {
    FILTERED_UNINTERESTING,
    FILTERED_RATE,
    FILTERED_COUNT
};

struct event_filter {
    struct event_filter_options options;
    int64_t interval_ns;
    _Atomic uint64_t filtered[FILTERED_COUNT];
    struct place places[PLACES];
};

struct event_filter *event_filter_new(const struct event_filter_options *options)
{
    struct event_filter *filter = calloc(1, sizeof(*filter));
    if (filter != NULL) {
        filter->options = *options;
        filter->interval_ns =
            options->rate_per_second > 0 ? NS_PER_SECOND / options->rate_per_second : 0;
    }
    return filter;
}

void event_filter_free(struct event_filter *filter)
{
    free(filter);
}

static bool text_is(struct text text, const char *string)
{
    return text.length == strlen(string) && memcmp(text.data, string, text.length) == 0;
}

/* As the metrics' error_type: what broke off, 5xx, and 4xx where the client is looked at. What the
 * observer missed is no error. */
static bool is_error(const struct exchange_record *record)
{
    bool missed =
        text_is(record->outcome, "request_only") || text_is(record->outcome, "response_only");
    bool broken = !missed && !text_is(record->outcome, "complete");
    return broken || record->status >= (text_is(record->side, "client") ? 400 : 500);
}

static bool is_interesting(const struct event_filter_options *options,
                           const struct exchange_record *record)
{
    if (!options->only_errors && options->slower_than_ns == 0) {
        return true;
    }
    bool slow = options->slower_than_ns > 0 && record->duration_ns != RECORD_UNKNOWN &&
                record->duration_ns > options->slower_than_ns;
    return slow || (options->only_errors && is_error(record));
}

/* FNV-1a, then mixed: the table uses the lowest bits. */
static uint64_t hash_text(uint64_t hash, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3U;
    }
    return (hash ^ 0xff) * 0x100000001b3U;
}

/* The service behind the interface: whose exchange it is. A client's port is chance. */
static uint64_t service_of(const struct exchange_record *record)
{
    bool client = text_is(record->side, "client");
    struct text namespace = client ? record->client_namespace : record->server_namespace;
    struct text service = client ? record->client_service : record->server_service;
    if (service.length == 0) {
        service = client ? record->client : record->server;
        const char *colon =
            client && service.length > 0 ? memrchr(service.data, ':', service.length) : NULL;
        service.length = colon != NULL ? (size_t)(colon - service.data) : service.length;
    }
    uint64_t hash = hash_text(hash_text(0xcbf29ce484222325U, namespace), service);
    hash ^= hash >> 32;
    return hash | 1;
}

static struct place *find_place(struct event_filter *filter, uint64_t hash)
{
    struct place *place = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        place = &filter->places[((hash >> 1) + i) % PLACES];
        uint64_t there = atomic_load_explicit(&place->hash, memory_order_relaxed);
        if (there == 0 && atomic_compare_exchange_strong(&place->hash, &there, hash)) {
            return place;
        }
        if (there == hash) {
            return place;
        }
    }
    return place;
}

static bool within_rate(struct event_filter *filter, const struct exchange_record *record,
                        int64_t now_ns)
{
    struct place *place = find_place(filter, service_of(record));
    int64_t due = atomic_load_explicit(&place->due_ns, memory_order_relaxed);
    int64_t next = 0;
    do {
        /* A burst is what one second brings. */
        if (due > now_ns + NS_PER_SECOND - filter->interval_ns) {
            return false;
        }
        next = (due > now_ns ? due : now_ns) + filter->interval_ns;
    } while (!atomic_compare_exchange_weak_explicit(&place->due_ns, &due, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static bool count(struct event_filter *filter, enum filtered reason)
{
    atomic_fetch_add_explicit(&filter->filtered[reason], 1, memory_order_relaxed);
    return false;
}

bool event_filter_wants(struct event_filter *filter, const struct exchange_record *record,
                        int64_t now_ns)
{
    if (!is_interesting(&filter->options, record)) {
        return count(filter, FILTERED_UNINTERESTING);
    }
    if (filter->interval_ns > 0 && !within_rate(filter, record, now_ns)) {
        return count(filter, FILTERED_RATE);
    }
    return true;
}

void event_filter_write_metrics(const struct event_filter *filter, const struct metric_sink *sink)
{
    static const char *const names[FILTERED_COUNT] = {"uninteresting", "rate"};
    static const struct metric_family family = {
        "vethscope_events_filtered_total",
        "Exchanges that did not become events, as events.filter says, by reason.", "",
        METRIC_COUNTER};
    sink->family(sink->context, &family);
    for (unsigned i = 0; i < FILTERED_COUNT; i++) {
        struct metric_label label = {"reason", text_of(names[i])};
        uint64_t value = atomic_load_explicit(&filter->filtered[i], memory_order_relaxed);
        struct metric_point point = {.labels = &label, .label_count = 1, .value = (double)value};
        sink->point(sink->context, &point);
    }
}
