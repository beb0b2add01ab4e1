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
    size_t interface_count; /* 0: the configuration's */
};

/* Opens the rings of as many as are configured. Returns 0, or -errno with one line. */
int workers_open(struct workers *workers, const struct config_capture *capture,
                 const struct workers_choice *choice, char error_out[static LIVE_ERROR_SIZE]);

/* Makes the rest of them, with the configuration and what else the options hold; their share of the
 * memory is set here. The exports have a tap for each worker, or are NULL. Returns 0 or -ENOMEM. */
int workers_prepare(struct workers *workers, const struct pipeline_options *options,
                    struct name_source *names, struct exports *exports);

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
