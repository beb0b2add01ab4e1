#include "agent/capture/pcap_reader.h"

#include "agent/capture/link_type.h"

#define FILE_HEADER_SIZE 24
#define RECORD_HEADER_SIZE 16
#define MODIFIED_RECORD_HEADER_SIZE 24 /* with interface index, protocol, packet type */
#define VERSION_MAJOR 2
#define LINKTYPE_MASK 0x03ffffffU /* the bits above tell the length of a frame check sequence */

static const struct pcap_magic {
    uint32_t value;
    uint32_t unit_ns;
    uint32_t header_size;
} magics[] = {
    {0xa1b2c3d4, 1000, RECORD_HEADER_SIZE},
    {0xa1b23c4d, 1, RECORD_HEADER_SIZE},
    {0xa1b2cd34, 1000, MODIFIED_RECORD_HEADER_SIZE},
};

static const struct pcap_magic *magic_of(const uint8_t *bytes, bool swapped)
{
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        if (record_u32(bytes, swapped) == magics[i].value) {
            return &magics[i];
        }
    }
    return NULL;
}

bool pcap_reader_recognises(const uint8_t bytes[static 4])
{
    return magic_of(bytes, false) != NULL || magic_of(bytes, true) != NULL;
}

enum record_status pcap_reader_start(struct pcap_reader *reader, struct byte_source *source)
{
    *reader = (struct pcap_reader){0};
    const uint8_t *header = byte_source_peek(source, FILE_HEADER_SIZE);
    if (header == NULL) {
        return RECORD_TRUNCATED;
    }
    reader->swapped = magic_of(header, false) == NULL;
    const struct pcap_magic *magic = magic_of(header, reader->swapped);
    if (magic == NULL || record_u16(header + 4, reader->swapped) != VERSION_MAJOR) {
        reader->damage = "pcap of a version other than 2";
        return RECORD_DAMAGED;
    }
    reader->unit_ns = magic->unit_ns;
    reader->header_size = magic->header_size;
    reader->link = link_type_map(record_u32(header + 20, reader->swapped) & LINKTYPE_MASK);
    byte_source_skip(source, FILE_HEADER_SIZE);
    return RECORD_FRAME;
}

enum record_status pcap_reader_next(struct pcap_reader *reader, struct byte_source *source,
                                    struct frame *frame_out)
{
    byte_source_skip(source, reader->pending);
    reader->pending = 0;
    const uint8_t *header = byte_source_peek(source, reader->header_size);
    if (header == NULL) {
        return source->left == 0 ? RECORD_END : RECORD_TRUNCATED;
    }
    uint32_t captured = record_u32(header + 8, reader->swapped);
    if (captured > RECORD_CAPTURED_MAX) {
        reader->damage = "a record longer than any packet";
        return RECORD_DAMAGED;
    }
    size_t size = reader->header_size + captured;
    header = byte_source_peek(source, size);
    if (header == NULL) {
        return RECORD_TRUNCATED;
    }
    uint32_t wire = record_u32(header + 12, reader->swapped);
    *frame_out = (struct frame){
        .bytes = header + reader->header_size,
        .captured_length = captured,
        .wire_length = wire < captured ? captured : wire,
        .time_ns = (int64_t)record_u32(header, reader->swapped) * 1000000000 +
                   (int64_t)record_u32(header + 4, reader->swapped) * reader->unit_ns,
        .link = reader->link,
    };
    reader->pending = size;
    return RECORD_FRAME;
}
