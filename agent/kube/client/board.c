#include "agent/kube/client/board.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct board {
    pthread_mutex_t mutex;
    struct kube_status status[KUBE_KINDS];
};

struct board *board_new(void)
{
    struct board *board = calloc(1, sizeof(*board));
    if (board == NULL) {
        return NULL;
    }
    pthread_mutex_init(&board->mutex, NULL);
    return board;
}

void board_free(struct board *board)
{
    if (board != NULL) {
        pthread_mutex_destroy(&board->mutex);
        free(board);
    }
}

void board_write(struct board *board, const struct kube_status all[static KUBE_KINDS])
{
    pthread_mutex_lock(&board->mutex);
    memcpy(board->status, all, sizeof(board->status));
    pthread_mutex_unlock(&board->mutex);
}

void board_read(struct board *board, enum kube_kind kind, struct kube_status *status_out)
{
    pthread_mutex_lock(&board->mutex);
    *status_out = board->status[kind];
    pthread_mutex_unlock(&board->mutex);
}
