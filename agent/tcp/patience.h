#pragma once

#include <stdbool.h>
#include <stdint.h>

/* When something was seen: the worker's count of packets, and the time. */
struct moment {
    uint64_t packet;
    int64_t ns;
};

/* How much later than it was sent a captured packet may turn up: by so many packets, or so much
 * time where `ns` is not 0. */
struct patience {
    uint64_t packets;
    int64_t ns;
};

static inline bool patience_is_over(const struct patience *patience, struct moment since,
                                    struct moment now)
{
    return now.packet - since.packet >= patience->packets ||
           (patience->ns > 0 && now.ns - since.ns >= patience->ns);
}

static inline struct patience patience_times(const struct patience *patience, unsigned factor)
{
    return (struct patience){patience->packets * factor, patience->ns * factor};
}
