#include "agent/commands/progress.h"

#include <stdio.h>
#include <unistd.h>

/* Shorter files are read before anybody wonders. */
#define LONG_FILE (UINT64_C(256) << 20)
#define BAR_WIDTH 40
#define PERMILLE 1000
/* The bar moves in steps that can be seen. */
#define STEP_PERMILLE 5

struct progress progress_start(uint64_t total)
{
    return (struct progress){.total = total, .shown = total >= LONG_FILE && isatty(STDERR_FILENO)};
}

void progress_update(struct progress *progress, uint64_t done)
{
    if (!progress->shown) {
        return;
    }
    uint64_t permille = done >= progress->total ? PERMILLE : done * PERMILLE / progress->total;
    if (permille < progress->drawn_permille + STEP_PERMILLE) {
        return;
    }
    progress->drawn_permille = permille;
    int filled = (int)(permille * BAR_WIDTH / PERMILLE);
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3d%%", bar, (int)(permille / 10));
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown && progress->drawn_permille > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->shown = false;
}
