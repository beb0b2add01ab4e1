#pragma once

#include "exporters/byte_writer.h"
#include "exporters/exchange_record.h"

/* The same message, written by protobuf-c from the generated code: what event_protobuf_append is
 * compared with. Slow, and for tests only. */
void protobuf_reference_append(const struct exchange_record *record, struct byte_writer *out);
