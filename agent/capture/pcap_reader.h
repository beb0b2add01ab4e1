#pragma once

#include "agent/capture/byte_source.h"
#include "agent/capture/frame.h"
#include "agent/capture/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The records of a classic pcap file: microseconds or nanoseconds, either byte order, and the
 * "modified" header with the interface index that old Red Hat tools wrote. */
struct pcap_reader {
    bool swapped;
    uint32_t header_size; /* of a record */
    uint32_t unit_ns;
    enum frame_link link;
    size_t pending; /* bytes of the record delivered last */
    const char *damage;
};

/* Whether the content's first bytes are a pcap magic. */
bool pcap_reader_recognises(const uint8_t bytes[static 4]);

/* Reads the file header, whose magic was recognised. Returns RECORD_FRAME when it is fine. */
enum record_status pcap_reader_start(struct pcap_reader *reader, struct byte_source *source);

/* The next record; the frame's bytes live until the next call. */
enum record_status pcap_reader_next(struct pcap_reader *reader, struct byte_source *source,
                                    struct frame *frame_out);
