#pragma once

#include "agent/kube/kube.h"

/* The status of every kind, written by the thread that follows the API server, read by any. */
struct board;

/* NULL: out of memory. */
struct board *board_new(void);
void board_free(struct board *board);

void board_write(struct board *board, const struct kube_status all[static KUBE_KINDS]);
void board_read(struct board *board, enum kube_kind kind, struct kube_status *status_out);
