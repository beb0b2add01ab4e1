#include "agent/config/schema.h"

#include "agent/config/check.h"
#include "agent/config/config.h"
#include "agent/config/schema_rows.h"

/* Room for anything that people write; longer is a mistake. */
#define DNS_NAME_MAX_LENGTH 253 /* a DNS name, as Kubernetes names are */
#define GLOB_MAX_LENGTH 255
#define PATTERN_MAX_LENGTH 255 /* a whole route fits the route stage's buffer */
#define FILTER_MAX_LENGTH 4096
#define LISTEN_MAX_LENGTH 64

static const struct schema_key capture_keys[] = {
    {
        .name = "interfaces",
        .kind = SCHEMA_TEXT,
        LIST(config_capture, interfaces.items, interfaces.count, 256),
        .fallback = "[]",
        .max_length = GLOB_MAX_LENGTH,
        .check = check_interface,
        .help = "Names and globs of the interfaces to watch. Empty: every pod link (a veth or "
                "netkit whose peer is in another network namespace).",
    },
    {
        .name = "vantage",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_capture, vantage),
        .fallback = "auto",
        .choices = "auto|node|pod",
        .help = "From where a named interface is seen: its end on the node or the one inside the "
                "pod (sidecar). auto tells it from the interface's kind, addresses and routes.",
    },
    {
        .name = "filter",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_capture, filter),
        .fallback = "",
        .max_length = FILTER_MAX_LENGTH,
        .check = check_filter,
        .help = "A pcap-filter(7) expression that IP packets have to fit as well. Empty: none.",
    },
    {
        .name = "ring_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_capture, ring_bytes),
        .fallback = "32MiB",
        .minimum = "2MiB",
        .maximum = "1GiB",
        .help = "Kernel ring of one worker. 32MiB hold about 250 ms at 1 Gbit/s while the worker "
                "waits for a CPU.",
    },
    {
        .name = "block_timeout",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_capture, block_timeout_ms),
        .fallback = "100ms",
        .minimum = "1ms",
        .maximum = "10s",
        .help = "Longest time a packet waits in a block of the ring that is not full. Shorter "
                "wakes the agent more often, longer delays what is shown.",
    },
    {
        .name = "workers",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_capture, workers),
        .fallback = "1",
        .minimum = "1",
        .maximum = "64",
        .help = "Capture threads, each with its own ring and tables. One keeps up with most nodes.",
    },
};
static const struct schema_section capture_section = KEYS(capture_keys);

static const struct schema_key tcp_keys[] = {
    {
        .name = "flow_idle_timeout",
        .kind = SCHEMA_SECONDS,
        .offset = offsetof(struct config_tcp, flow_idle_timeout_s),
        .fallback = "5m",
        .minimum = "1s",
        .maximum = "24h",
        .help = "A connection without packets for so long is over; a request still open then ends "
                "with the error type timeout. Longer than the slowest answer.",
    },
    {
        .name = "reorder_packets",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_tcp, reorder_packets),
        .fallback = "128",
        .minimum = "1",
        .maximum = "65536",
        .help = "How many packets of its worker a missing segment may come late before it counts "
                "as lost to the capture.",
    },
};
static const struct schema_section tcp_section = KEYS(tcp_keys);

static const struct schema_key http_keys[] = {
    {
        .name = "max_head_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_http, max_head_bytes),
        .fallback = "64KiB",
        .minimum = "1KiB",
        .maximum = "1MiB",
        .help = "Longest request or response head that is read; a longer one makes its connection "
                "unreadable. Servers refuse more than 8 to 64 KiB.",
    },
    {
        .name = "max_target_size",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_http, max_target_bytes),
        .fallback = "4KiB",
        .minimum = "64",
        .maximum = "64KiB",
        .help = "Longer request targets are cut in what is reported.",
    },
    {
        .name = "server_ports",
        .kind = SCHEMA_PORT,
        LIST(config_http, server_ports, server_port_count, 1024),
        .fallback = "[]",
        .minimum = "1",
        .maximum = "65535",
        .help = "Ports of known servers: tells who asks on connections whose start was not seen.",
    },
};
static const struct schema_section http_section = KEYS(http_keys);

static const struct schema_key routes_keys[] = {
    {
        .name = "patterns",
        .kind = SCHEMA_TEXT,
        LIST(config_routes, patterns.items, patterns.count, 1000),
        .fallback = "[]",
        .max_length = PATTERN_MAX_LENGTH,
        .check = check_route_pattern,
        .help = "Routes to name as written here, the first that fits; {name} fits one path "
                "segment. Any other path is made a template by what its segments look like.",
    },
    {
        .name = "max_per_service",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_routes, max_per_service),
        .fallback = "200",
        .minimum = "1",
        .maximum = "10000",
        .help = "More routes of one service than this share the name {other}.",
    },
};
static const struct schema_section routes_section = KEYS(routes_keys);

static const struct schema_key metrics_keys[] = {
    {
        .name = "listen",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_metrics, listen),
        .fallback = ":9990",
        .max_length = LISTEN_MAX_LENGTH,
        .check = check_listen,
        .help = "Address and port of /metrics, /healthz and /readyz: ADDR:PORT, [V6]:PORT, or "
                ":PORT for every address.",
    },
    {
        .name = "duration_buckets",
        .kind = SCHEMA_REAL,
        LIST(config_metrics, duration_buckets, duration_bucket_count, 64),
        .fallback = "[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, "
                    "2.5, 5, 7.5, 10, 30]",
        .minimum = "0.000001",
        .maximum = "86400",
        .min_items = 1,
        .check_item = check_ascending,
        .help = "Upper bounds of the duration histograms in seconds, ascending. Each bound costs "
                "a sample line per series.",
    },
    {
        .name = "max_series",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_metrics, max_series),
        .fallback = "100000",
        .minimum = "100",
        .maximum = "10000000",
        .help = "Most sample lines that a worker keeps, about 20 for a histogram; further series "
                "are refused and counted.",
    },
    {
        .name = "series_idle_timeout",
        .kind = SCHEMA_SECONDS,
        .offset = offsetof(struct config_metrics, series_idle_timeout_s),
        .fallback = "1h",
        .minimum = "1s",
        .maximum = "720h",
        .help = "A series without a new value for so long is dropped. Longer than the pauses of "
                "what runs hourly.",
    },
    {
        .name = "body_sizes",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_metrics, body_sizes),
        .fallback = "false",
        .choices = "false|true",
        .help = "The histograms of request and response body sizes; they about double the number "
                "of sample lines.",
    },
    {
        .name = "native_histograms",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_metrics, native_histograms),
        .fallback = "true",
        .choices = "false|true",
        .help = "Native histograms beside the classic ones for scrapers that ask for protobuf; "
                "others never see them.",
    },
    {
        .name = "native_schema",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_metrics, native_schema),
        .fallback = "5",
        .minimum = "0",
        .maximum = "8",
        .help = "Resolution of the exponential buckets: 2^schema of them for each power of two. 5 "
                "tells values apart that differ by 2.2 percent.",
    },
    {
        .name = "native_max_buckets",
        .kind = SCHEMA_COUNT,
        .offset = offsetof(struct config_metrics, native_max_buckets),
        .fallback = "160",
        .minimum = "10",
        .maximum = "160",
        .help =
            "Most exponential buckets of a histogram. Where values spread wider, its resolution "
            "is halved until they fit.",
    },
    {
        .name = "created_lines",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_metrics, created_lines),
        .fallback = "false",
        .choices = "false|true",
        .help = "A _created line for each counter and histogram in OpenMetrics. Prometheus keeps "
                "each as one more series.",
    },
};
static const struct schema_section metrics_section = KEYS(metrics_keys);

static const struct schema_key memory_keys[] = {
    {
        .name = "limit",
        .kind = SCHEMA_BYTES,
        .offset = offsetof(struct config_memory, limit),
        .fallback = "128MiB",
        .minimum = "16MiB",
        .maximum = "1024GiB",
        .help = "Memory for the rings and for open connections and requests, whose tables are "
                "sized from it at the start. The rings may take half of it. The series are bounded "
                "by metrics.max_series.",
    },
};
static const struct schema_section memory_section = KEYS(memory_keys);

static const struct schema_key log_keys[] = {
    {
        .name = "level",
        .kind = SCHEMA_CHOICE_TEXT,
        .offset = offsetof(struct config, log_level),
        .fallback = "info",
        .choices = "error|warn|info|debug",
        .help = "The least important lines to write to standard error.",
    },
};
static const struct schema_section log_section = KEYS(log_keys);

static const struct schema_key name_keys[] = {
    {
        .name = "address",
        .kind = SCHEMA_CIDR,
        .required = true,
        .help = "An address or a range of them (CIDR); the longest that fits counts.",
    },
    {
        .name = "port",
        .kind = SCHEMA_PORT,
        .offset = offsetof(struct directory_entry, port),
        .minimum = "1",
        .maximum = "65535",
        .help = "Only this port; goes before the same range without a port. Absent: every port.",
    },
    {
        .name = "namespace",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct directory_entry, namespace),
        .fallback = "",
        .max_length = DNS_NAME_MAX_LENGTH,
        .help = "service_namespace of what is there. Empty: none.",
    },
    {
        .name = "service",
        .kind = SCHEMA_TEXT,
        .required = true,
        .offset = offsetof(struct directory_entry, service),
        .max_length = DNS_NAME_MAX_LENGTH,
        .check = check_not_empty,
        .help = "service_name of what is there.",
    },
};
static const struct schema_section name_section = KEYS(name_keys);

static const struct schema_key kubernetes_keys[] = {
    {
        .name = "enabled",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_kubernetes, enabled),
        .fallback = "auto",
        .choices = "auto|false|true",
        .help = "Whether names come from the API server. auto: in a pod with a service account, or "
                "with a kubeconfig.",
    },
    {
        .name = "kubeconfig",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_kubernetes, kubeconfig),
        .fallback = "",
        .max_length = PATH_MAX_LENGTH,
        .help = "A kubeconfig file instead of the pod's service account. Empty: none.",
    },
    {
        .name = "context",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_kubernetes, context),
        .fallback = "",
        .max_length = DNS_NAME_MAX_LENGTH,
        .help = "Context of the kubeconfig. Empty: its current one.",
    },
    {
        .name = "node",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_kubernetes, node),
        .fallback = "",
        .max_length = DNS_NAME_MAX_LENGTH,
        .help = "Name of this node. Empty: the environment's NODE_NAME, else the node that has one "
                "of this machine's addresses.",
    },
    {
        .name = "scope",
        .kind = SCHEMA_CHOICE,
        .offset = offsetof(struct config_kubernetes, scope),
        .fallback = "cluster",
        .choices = "cluster|node",
        .help = "Whose pods are asked for: node asks for less, and clients on other nodes that "
                "stand behind no service are called unknown.",
    },
    {
        .name = "ranges",
        .kind = SCHEMA_CIDR,
        LIST(config_kubernetes, ranges, range_count, 256),
        .fallback = "[]",
        .check_item = check_new_range,
        .help = "Addresses of the cluster's pods and services beside the ranges that its nodes "
                "tell: who is not known there is called unknown, not external.",
    },
    {
        .name = "hold",
        .kind = SCHEMA_MILLIS,
        .offset = offsetof(struct config_kubernetes, hold_ms),
        .fallback = "2s",
        .minimum = "0ms",
        .maximum = "1m",
        .help =
            "How long the exchanges of a connection wait for a name that is still to come. 0ms: "
            "they do not. The memory for them is bounded.",
    },
    {
        .name = "name_by_app_label",
        .kind = SCHEMA_BOOL,
        .offset = offsetof(struct config_kubernetes, name_by_app_label),
        .fallback = "false",
        .choices = "false|true",
        .help = "The label app.kubernetes.io/name goes before the name of the owning workload.",
    },
};
static const struct schema_section kubernetes_section = KEYS(kubernetes_keys);

static const struct schema_key rule_keys[] = {
    {
        .name = "action",
        .kind = SCHEMA_BOOL,
        .required = true,
        .offset = offsetof(struct config_rule, exclude),
        .choices = "include|exclude",
        .help = "What happens to a request that fits.",
    },
    {
        .name = "namespace",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_rule, namespace),
        .max_length = GLOB_MAX_LENGTH,
        .help = "Glob over the service_namespace of who was asked. Absent: any.",
    },
    {
        .name = "service",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_rule, service),
        .max_length = GLOB_MAX_LENGTH,
        .check = check_not_empty,
        .help = "Glob over the service_name of who was asked. Absent: any.",
    },
    {
        .name = "route",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_rule, route),
        .max_length = GLOB_MAX_LENGTH,
        .check = check_not_empty,
        .help = "Glob over the route. Absent: any.",
    },
    {
        .name = "user_agent",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_rule, user_agent),
        .max_length = GLOB_MAX_LENGTH,
        .check = check_not_empty,
        .help = "Glob over the request's User-Agent. Absent: any.",
    },
};
static const struct schema_section rule_section = KEYS(rule_keys);

#define SECTION(field, its_section)                                                                \
    .kind = SCHEMA_SECTION, .offset = offsetof(struct config, field), .section = &(its_section)

static const struct schema_key root_keys[] = {
    {.name = "capture", SECTION(capture, capture_section), .help = "Where packets come from."},
    {.name = "tcp", SECTION(tcp, tcp_section), .help = "How connections are followed."},
    {.name = "http", SECTION(http, http_section), .help = "How messages are read."},
    {.name = "routes", SECTION(routes, routes_section), .help = "How paths are named."},
    {
        .name = "names",
        .kind = SCHEMA_SECTION,
        LIST(config, names, name_count, 10000),
        .section = &name_section,
        .fallback = "[]",
        .check_item = check_new_range,
        .help = "What addresses are called outside Kubernetes. Addresses in none of the ranges "
                "share the name external.",
    },
    {
        .name = "kubernetes",
        SECTION(kubernetes, kubernetes_section),
        .help = "Names from the Kubernetes API server.",
    },
    {.name = "metrics", SECTION(metrics, metrics_section), .help = "What is counted and served."},
    {
        .name = "rules",
        .kind = SCHEMA_SECTION,
        LIST(config, rules, rule_count, 256),
        .section = &rule_section,
        .fallback = "[]",
        .help = "Which requests count: the first rule that fits decides; none fits: included. A "
                "rule fits when all of its globs do. Connections, active requests and what was "
                "missed are counted without asking the rules.",
    },
    {
        .name = "events",
        SECTION(events, schema_events),
        .help = "Exchanges as protobuf events; off as long as none of file, http and kafka is "
                "given.",
    },
    {
        .name = "otlp",
        SECTION(otlp, schema_otlp),
        .help =
            "Metrics and spans to an OpenTelemetry receiver (OTLP/HTTP); off as long as there is "
            "no endpoint, neither here nor in the environment.",
    },
    {.name = "memory", SECTION(memory, memory_section), .help = "How much memory is used."},
    {
        .name = "log",
        .kind = SCHEMA_SECTION,
        .section = &log_section,
        .help = "What is written to standard error.",
    },
};
static const struct schema_section root_section = KEYS(root_keys);

const struct schema_section *schema_root(void)
{
    return &root_section;
}
