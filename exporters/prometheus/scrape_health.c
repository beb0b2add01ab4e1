#include "exporters/prometheus/scrape_health.h"

#include "exporters/prometheus/exposition.h"

#define NS_PER_SECOND 1e9

static const char *const failure_names[SCRAPE_FAILURES] = {
    [SCRAPE_FAILURE_BUSY] = "busy",
    [SCRAPE_FAILURE_MEMORY] = "memory",
    [SCRAPE_FAILURE_ABORTED] = "aborted",
};

static void add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static double get(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

void scrape_health_succeed(struct scrape_health *health, enum exposition_format format,
                           size_t bytes, uint64_t busy_ns)
{
    add(&health->formats[format].scrapes, 1);
    add(&health->formats[format].bytes, bytes);
    add(&health->formats[format].busy_ns, busy_ns);
}

void scrape_health_fail(struct scrape_health *health, enum scrape_failure failure)
{
    add(&health->failures[failure], 1);
}

static void write_point(const struct metric_sink *sink, const char *label, const char *name,
                        double value)
{
    const struct metric_label labels[] = {{label, text_of(name)}};
    sink->point(sink->context,
                &(struct metric_point){.labels = labels, .label_count = 1, .value = value});
}

static const char *format_name(unsigned format)
{
    return exposition_format_name((enum exposition_format)format);
}

void scrape_health_write(const struct scrape_health *health, const struct metric_sink *sink)
{
    static const struct metric_family scrapes = {
        "vethscope_scrapes_total", "Expositions that scrapers took whole, this one not yet.", "",
        METRIC_COUNTER};
    static const struct metric_family bytes = {"vethscope_scrape_sent_bytes_total",
                                               "Bytes of these, compressed where they went out so.",
                                               "bytes", METRIC_COUNTER};
    static const struct metric_family busy = {"vethscope_scrape_busy_seconds_total",
                                              "Time spent making them, compression included.",
                                              "seconds", METRIC_COUNTER};
    static const struct metric_family failures = {
        "vethscope_scrape_failures_total", "Scrapes that got no whole exposition, by reason.", "",
        METRIC_COUNTER};
    sink->family(sink->context, &scrapes);
    for (unsigned i = 0; i < EXPOSITION_FORMATS; i++) {
        write_point(sink, "format", format_name(i), get(&health->formats[i].scrapes));
    }
    sink->family(sink->context, &bytes);
    for (unsigned i = 0; i < EXPOSITION_FORMATS; i++) {
        write_point(sink, "format", format_name(i), get(&health->formats[i].bytes));
    }
    sink->family(sink->context, &busy);
    for (unsigned i = 0; i < EXPOSITION_FORMATS; i++) {
        write_point(sink, "format", format_name(i),
                    get(&health->formats[i].busy_ns) / NS_PER_SECOND);
    }
    sink->family(sink->context, &failures);
    for (unsigned i = 0; i < SCRAPE_FAILURES; i++) {
        write_point(sink, "reason", failure_names[i], get(&health->failures[i]));
    }
}
