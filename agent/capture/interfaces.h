#pragma once

#include "agent/capture/interface_table.h"
#include "agent/capture/live.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The interface watch of one worker: the table of what counts, kept up to date from rtnetlink. One
 * thread, never blocks. See interface_table.h for the rules.
 */
struct interfaces;

/* Takes stock of the interfaces. `leave_ns` and `gone` are those of interface_table_options; the
 * callback is made from interfaces_update and interfaces_expire. Returns NULL and one line. */
struct interfaces *interfaces_open(const struct live_options *options, int64_t leave_ns,
                                   const struct live_callbacks *callbacks,
                                   char error_out[static LIVE_ERROR_SIZE]);
void interfaces_close(struct interfaces *interfaces);

/* Readable when notifications wait. */
int interfaces_fd(const struct interfaces *interfaces);

/* Takes in every notification that was queued before the call. */
void interfaces_update(struct interfaces *interfaces, int64_t now_ns);

/* interface_table_expire and interface_table_due; the latter costs nothing here. */
void interfaces_expire(struct interfaces *interfaces, int64_t now_ns, bool read_empty);
int64_t interfaces_due(const struct interfaces *interfaces);

/* Valid until the next update or expiry. */
struct interface_table *interfaces_table(struct interfaces *interfaces);
