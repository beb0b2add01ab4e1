#include "agent/config/check.h"
#include "agent/config/events.h"
#include "agent/config/schema_rows.h"

/* Kafka's own bound for the name of a topic. */
#define TOPIC_MAX_LENGTH 249

static const struct schema_key filter_keys[] = {
    {
        .name = "only_errors",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_events_filter, only_errors),
        .fallback = "false",
        .choices = "false|true",
        .help = "Only what broke off, 5xx, and 4xx as their clients saw them. With slower_than: "
                "these and the slow ones.",
    },
    {
        .name = "slower_than",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_events_filter, slower_than_ms),
        .fallback = "0ms",
        .minimum = "0ms",
        .maximum = "24h",
        .help = "Only exchanges that took longer than this. 0ms: any.",
    },
    {
        .name = "rate_per_service",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_events_filter, rate_per_service),
        .fallback = "0",
        .minimum = "0",
        .maximum = "1000000",
        .help = "Most events a second of one service, of what passes the two others. 0: any.",
    },
};
static const struct schema_section filter_section = KEYS(filter_keys);

static const struct schema_key file_keys[] = {
    {
        .name = "path",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_file, path),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "The file to write. Empty: none.",
    },
    {
        .name = "max_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_events_file, max_bytes),
        .fallback = "64MiB",
        .minimum = "64KiB",
        .maximum = "1024GiB",
        .help = "A file that would become larger is rotated: renamed to its name, a dot and the "
                "time.",
    },
    {
        .name = "max_age",
        .kind = SCHEMA_SECONDS,
        .offset = offsetof(struct config_events_file, max_age_s),
        .fallback = "1h",
        .minimum = "1s",
        .maximum = "8760h",
        .help = "So is one that is older than this.",
    },
    {
        .name = "keep",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_events_file, keep),
        .fallback = "10",
        .minimum = "0",
        .maximum = "100000",
        .help = "How many rotated files stay; older ones are removed.",
    },
    {
        .name = "compression",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_events_file, compression),
        .fallback = "none",
        .choices = "none|zstd",
        .help = "zstd: each portion written is a frame of its own, so the file can be read at any "
                "time.",
    },
    {
        .name = "flush_interval",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_events_file, flush_ms),
        .fallback = "1s",
        .minimum = "10ms",
        .maximum = "1m",
        .help = "Longest time an event waits before it is written. Longer compresses better.",
    },
};
static const struct schema_section file_section = KEYS(file_keys);

static const struct schema_key http_keys[] = {
    {
        .name = "url",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_http, url),
        .fallback = "",
        .max_length = URL_MAX_LENGTH,
        .check = check_url,
        .help = "Where batches of events are POSTed to, http or https. Empty: nowhere.",
    },
    {
        .name = "headers",
        .kind = SCHEMA_SECTION,
        LIST(config_events_http, headers, header_count, 32),
        .section = &schema_named_value,
        .fallback = "[]",
        .check_item = check_named_value,
        .help = "Header fields of every request. A value_file is read again when it changes.",
    },
    {
        .name = "compression",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_events_http, compression),
        .fallback = "none",
        .choices = "none|zstd|gzip",
        .help = "Content coding of the bodies.",
    },
    {
        .name = "batch_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_events_http, batch_bytes),
        .fallback = "1MiB",
        .minimum = "1KiB",
        .maximum = "16MiB",
        .help = "A batch with so many bytes of events is sent at once; bodies may be 64KiB and an "
                "event larger.",
    },
    {
        .name = "batch_delay",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_events_http, batch_ms),
        .fallback = "1s",
        .minimum = "10ms",
        .maximum = "1m",
        .help = "Longest time an event waits for others.",
    },
    {
        .name = "timeout",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_events_http, timeout_ms),
        .fallback = "10s",
        .minimum = "100ms",
        .maximum = "10m",
        .help = "A request without its whole answer after so long has failed and is tried again.",
    },
    {
        .name = "ca_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_http, ca_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "Certificates (PEM) that the receiver's is checked with. Empty: the system's.",
    },
    {
        .name = "cert_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_http, cert_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "Our own certificate (PEM), for receivers that ask for one. Empty: none.",
    },
    {
        .name = "key_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_http, key_file),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "The key of cert_file (PEM). Empty: it is in that file.",
    },
};
static const struct schema_section http_section = KEYS(http_keys);

static const struct schema_key kafka_keys[] = {
    {
        .name = "brokers",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_kafka, brokers),
        .fallback = "",
        .max_length = VALUE_MAX_LENGTH,
        .help = "Some of the brokers, \"host:port,host:port\". Empty: no Kafka.",
    },
    {
        .name = "topic",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_kafka, topic),
        .fallback = "vethscope.exchanges",
        .max_length = TOPIC_MAX_LENGTH,
        .check = check_not_empty,
        .help = "The topic, one message for each event; the key is namespace/service of who was "
                "asked.",
    },
    {
        .name = "compression",
        .kind = SCHEMA_CHOICE_TEXT,
        .offset = offsetof(struct config_events_kafka, compression),
        .fallback = "zstd",
        .choices = "none|gzip|snappy|lz4|zstd",
        .help = "Compression of Kafka's record batches.",
    },
    {
        .name = "properties",
        .kind = SCHEMA_SECTION,
        LIST(config_events_kafka, properties, property_count, 64),
        .section = &schema_named_value,
        .fallback = "[]",
        .check_item = check_named_value,
        .help = "librdkafka's own properties, as security.protocol, ssl.ca.location or "
                "sasl.password. A value_file is read at the start.",
    },
};
static const struct schema_section kafka_section = KEYS(kafka_keys);

static const struct schema_key spool_keys[] = {
    {
        .name = "directory",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_events_spool, directory),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "Where events for HTTP and Kafka wait on disk instead of in memory, and survive a "
                "restart. Empty: in memory.",
    },
    {
        .name = "max_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_events_spool, max_bytes),
        .fallback = "256MiB",
        .minimum = "1MiB",
        .maximum = "1024GiB",
        .help = "Most bytes of each of the two; the oldest events go first.",
    },
};
static const struct schema_section spool_section = KEYS(spool_keys);

#define PART(part)                                                                                 \
    .kind = SCHEMA_SECTION, .offset = offsetof(struct config_events, part),                        \
    .section = &(part##_section)

static const struct schema_key events_keys[] = {
    {.name = "filter", PART(filter), .help = "Which exchanges become events."},
    {.name = "file", PART(file), .help = "Events into a file, rotated by size and age."},
    {.name = "http", PART(http), .help = "Events to an HTTP endpoint, in batches."},
    {.name = "kafka", PART(kafka), .help = "Events to Kafka."},
    {.name = "spool", PART(spool), .help = "A queue on disk."},
    {
        .name = "queue_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_events, queue_bytes),
        .fallback = "16MiB",
        .minimum = "256KiB",
        .maximum = "16GiB",
        .help = "Memory in which the events for one receiver wait; what finds no room is lost and "
                "counted. Rounded up to a power of two.",
    },
    {
        .name = "ring_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_events, ring_bytes),
        .fallback = "4MiB",
        .minimum = "256KiB",
        .maximum = "1GiB",
        .help = "Memory between one worker and the delivery. 4MiB hold about 6000 events.",
    },
    {
        .name = "retry_max",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_events, retry_max_ms),
        .fallback = "30s",
        .minimum = "100ms",
        .maximum = "1h",
        .help = "Longest wait before a receiver is tried again; the first is 250ms, then twice as "
                "long each time.",
    },
};
const struct schema_section schema_events = KEYS(events_keys);
