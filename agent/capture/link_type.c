#include "agent/capture/link_type.h"

#include <stddef.h>

/* https://www.tcpdump.org/linktypes.html; 12 and 14 are DLT_RAW of various systems, which some
 * writers put into files. */
static const struct {
    uint32_t linktype;
    enum frame_link link;
} known[] = {
    {0, FRAME_LINK_NULL},         {1, FRAME_LINK_ETHERNET}, {12, FRAME_LINK_RAW},
    {14, FRAME_LINK_RAW},         {101, FRAME_LINK_RAW},    {108, FRAME_LINK_LOOP},
    {113, FRAME_LINK_LINUX_SLL},  {228, FRAME_LINK_RAW},    {229, FRAME_LINK_RAW},
    {276, FRAME_LINK_LINUX_SLL2},
};

enum frame_link link_type_map(uint32_t linktype)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].linktype == linktype) {
            return known[i].link;
        }
    }
    return FRAME_LINK_UNKNOWN;
}
