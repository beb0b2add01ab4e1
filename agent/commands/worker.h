#pragma once

#include "agent/capture/live.h"
#include "agent/commands/exchange_tap.h"
#include "agent/commands/name_source.h"
#include "agent/pipeline.h"

#include <stdbool.h>

/* One capture worker: a live ring and a pipeline on a thread of their own. */
struct worker;

/* Opens the ring, which is all that takes a privilege. NULL and one line when it cannot. */
struct worker *worker_new(const struct live_options *live, char error_out[static LIVE_ERROR_SIZE]);

/* Makes the pipeline; nothing is read before worker_start. The names come from the newest directory
 * of `names`, which outlives the worker; directory and interface_since of the options are the
 * worker's to set. `tap` (NULL: none) outlives it too. Returns 0 or -ENOMEM. */
int worker_prepare(struct worker *worker, const struct pipeline_options *pipeline,
                   struct name_source *names, struct exchange_tap *tap);

/* Begins reading. Returns 0 or -errno. */
int worker_start(struct worker *worker);

/* Orders the thread to end and does not wait, so that several end at the same time. */
void worker_order_stop(const struct worker *worker);

/* Reads what was captured up to now, closes every connection and ends the thread. */
void worker_stop(struct worker *worker);
void worker_free(struct worker *worker);

/* Whether the thread still reads: false after the ring failed. Any thread. */
bool worker_is_running(const struct worker *worker);

/* For reading from any thread. */
struct pipeline *worker_pipeline(const struct worker *worker);
struct live_counters worker_capture_counters(const struct worker *worker);
unsigned worker_interface_count(const struct worker *worker);
