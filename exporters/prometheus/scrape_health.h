#pragma once

#include "exporters/metric_set.h"
#include "exporters/prometheus/negotiation.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Why a scrape got no whole exposition. */
enum scrape_failure {
    SCRAPE_FAILURE_BUSY,    /* too many expositions under way */
    SCRAPE_FAILURE_MEMORY,  /* no memory to write it */
    SCRAPE_FAILURE_ABORTED, /* the scraper went away, or read too slowly */
    SCRAPE_FAILURES
};

/* What the server of expositions says about its own work. Zeroed at the start; any thread. */
struct scrape_health {
    struct {
        _Atomic uint64_t scrapes;
        _Atomic uint64_t bytes;
        _Atomic uint64_t busy_ns;
    } formats[EXPOSITION_FORMATS];
    _Atomic uint64_t failures[SCRAPE_FAILURES];
};

/* An exposition of so many bytes on the wire went out whole; making it took so long. */
void scrape_health_succeed(struct scrape_health *health, enum exposition_format format,
                           size_t bytes, uint64_t busy_ns);
void scrape_health_fail(struct scrape_health *health, enum scrape_failure failure);

void scrape_health_write(const struct scrape_health *health, const struct metric_sink *sink);
