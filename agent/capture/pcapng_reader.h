#pragma once

#include "agent/capture/byte_source.h"
#include "agent/capture/frame.h"
#include "agent/capture/record.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The packets of a pcapng file (draft-ietf-opsawg-pcapng): any number of sections, each in a byte
 * order of its own and with its own interfaces. A frame's interface number is made of the
 * interface's name, so the files of one rotated capture continue each other's flows; without a name
 * it is the index within the section.
 */
struct pcapng_reader {
    bool swapped;
    struct pcapng_interface *interfaces; /* of the section */
    uint32_t interface_count;
    uint32_t interface_capacity;
    uint32_t pending;  /* length of the block delivered last */
    int64_t latest_ns; /* of the packets so far */
    const char *damage;
};

/* Whether the content begins with a section header; needs its first 12 bytes. */
bool pcapng_reader_recognises(const uint8_t bytes[static 12]);

void pcapng_reader_init(struct pcapng_reader *reader);
void pcapng_reader_fini(struct pcapng_reader *reader);

/* The next packet of any section; the frame's bytes live until the next call. */
enum record_status pcapng_reader_next(struct pcapng_reader *reader, struct byte_source *source,
                                      struct frame *frame_out);
