#pragma once

#include "agent/base/address.h"
#include "agent/config/config.h"
#include "agent/kube/directory_source.h"
#include "exporters/metric_set.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Where the agent's names come from: the configuration, and an API server where there is one to
 * ask. Capture needs neither: without an answer the configured names stand.
 */
struct name_source;

/* Longest error text, terminator included. */
#define NAME_SOURCE_ERROR_SIZE 512

/* Begins to ask; the addresses (of this machine, for finding its node) are copied. Returns 0,
 * -ENOMEM, or -EINVAL for an access that was configured and cannot be used, with one line. */
int name_source_open(const struct config *config, const struct address *own_addresses,
                     size_t own_address_count, struct name_source **source_out,
                     char error_out[static NAME_SOURCE_ERROR_SIZE]);

/* Ends asking. NULL is fine. */
void name_source_close(struct name_source *source);

/* Whether an API server is asked. */
bool name_source_asks(const struct name_source *source);

/* Whether all kinds of objects were heard of once, or too much time passed for waiting; then it
 * stays so. Any thread. */
bool name_source_complete(struct name_source *source);

/* What is known at the moment; valid until name_source_close. */
struct directory_source *name_source_directories(const struct name_source *source);

/* What there is to say about the API server; any thread. */
void name_source_write(const struct name_source *source, const struct metric_sink *sink);
