#pragma once

#include "agent/commands/exports.h"
#include "agent/commands/worker.h"
#include "agent/config/config.h"
#include "exporters/metric_set.h"

#include <stddef.h>
#include <stdint.h>

/* The capture workers of one agent. */
struct workers {
    struct worker **items;
    struct pipeline **pipelines; /* of the same worker each */
    size_t count;
};

/* What the command line says in place of the configuration. */
struct workers_choice {
    const char *filter; /* NULL: the configuration's */
    const char *const *interfaces;
    size_t interface_count;  /* 0: the configuration's */
    struct exports *exports; /* has a tap for each worker, or is NULL */
};

/* Opens as many as are configured, with the configuration and what else the options hold; their
 * share of the memory is set here. Returns 0, or -errno with one line. */
int workers_open(struct workers *workers, const struct pipeline_options *options,
                 const struct workers_choice *choice, struct name_source *names,
                 char error_out[static LIVE_ERROR_SIZE]);

/* Returns 0 or -errno. */
int workers_start(const struct workers *workers);

/* Ends all of them at the same time; they can still be read. */
void workers_stop(const struct workers *workers);
void workers_fini(struct workers *workers);

/* Any thread, like the rest: whether all of them read. */
bool workers_are_running(const struct workers *workers);

/* Every family of the workers. Returns 0 or -ENOMEM. */
int workers_write(const struct workers *workers, const struct metric_sink *sink);

/* Sums since the start. */
struct live_counters workers_capture_counters(const struct workers *workers);
uint64_t workers_exchanges(const struct workers *workers);
unsigned workers_interface_count(const struct workers *workers);
