#include "agent/capture/frame_filter.h"
#include "agent/capture/timeline.h"
#include "agent/commands/commands.h"
#include "agent/commands/coverage.h"
#include "agent/commands/event.h"
#include "agent/commands/progress.h"
#include "agent/commands/table.h"
#include "agent/config/config.h"
#include "agent/exchange/route.h"
#include "agent/pipeline.h"
#include "exporters/events/event_json.h"
#include "exporters/events/event_protobuf.h"
#include "exporters/prometheus/prometheus_text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A report's pools; with the program itself well below 64 MiB resident. */
#define READ_MEMORY_BYTES (UINT64_C(40) << 20)
/* Records gathered before they are written. */
#define OUTPUT_PORTION 65536
/* Packet time between two looks at what has become idle. */
#define TICK_NS INT64_C(1000000000)
/* Frames between two looks at the progress. */
#define PROGRESS_FRAMES 16384

static const char usage[] =
    "Usage: vethscope read [OPTIONS] FILE ...\n"
    "\n"
    "Reports on the HTTP exchanges in capture files (pcap or pcapng, plain or gzip; \"-\" is\n"
    "standard input). Several files are one timeline. What could not be seen goes to standard\n"
    "error.\n"
    "\n"
    "  -o, --output FORMAT     table (default), json, prometheus or events\n"
    "                          json: one object a line; events: length-delimited protobuf\n"
    "  -f, --filter BPF        only packets that fit this pcap-filter(7) expression\n"
    "      --server-port PORT  a server's port, for connections whose start was not captured\n"
    "      --side SIDE         where it was captured: server (default) or client\n"
    "  -c, --config FILE       names, routes, rules and bounds from a configuration file\n"
    "  -h, --help\n"
    "\n"
    "Exit status: 0 done; 1 a file was damaged (what was readable is reported) or could not be\n"
    "read; 2 wrong usage or configuration.\n";

enum output {
    OUTPUT_TABLE,
    OUTPUT_JSON,
    OUTPUT_PROMETHEUS,
    OUTPUT_EVENTS,
    OUTPUTS
};

static const char *const output_names[OUTPUTS] = {"table", "json", "prometheus", "events"};

struct read_options {
    enum output output;
    enum exchange_side side;
    const char *filter;
    const char *config_path;
    uint16_t *server_ports;
    size_t server_port_count;
    char **paths;
    size_t path_count;
};

/* Everything that a report needs, and what its exchanges go through. */
struct report {
    const struct read_options *options;
    struct config *config;
    struct directory *directory;
    struct route_patterns *routes;
    struct frame_filter *filter;
    struct timeline *timeline;
    struct pipeline *pipeline;
    struct table *table;
    struct coverage coverage;
    struct event_protobuf protobuf;
    struct byte_writer out;
    int output_error; /* 0: all was written */
};

/* ---- output ---- */

/* The first failure is the one to tell. */
static void fail_output(struct report *report, int error)
{
    report->output_error = report->output_error == 0 ? error : report->output_error;
}

static void write_out(struct report *report)
{
    if (report->out.failed) {
        fail_output(report, ENOMEM);
    } else if (fwrite(report->out.data, 1, report->out.length, stdout) != report->out.length) {
        fail_output(report, errno);
    }
    byte_writer_reset(&report->out);
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    struct report *report = context;
    coverage_exchange(&report->coverage, exchange);
    if (report->options->output == OUTPUT_TABLE) {
        table_exchange(report->table, connection, exchange);
    }
    if (report->options->output != OUTPUT_JSON && report->options->output != OUTPUT_EVENTS) {
        return;
    }
    struct event_texts texts;
    struct aggregate_ends ends = event_ends(report->directory, connection);
    struct exchange_record record = event_record(connection, exchange, &ends, &texts);
    if (report->options->output == OUTPUT_JSON) {
        event_json_append(&record, &report->out);
    } else {
        event_protobuf_append(&report->protobuf, &record, &report->out);
    }
    if (report->out.length >= OUTPUT_PORTION) {
        write_out(report);
    }
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    (void)connection;
    struct report *report = context;
    coverage_event(&report->coverage, event);
}

static void write_prometheus(struct report *report)
{
    struct prometheus_text text;
    prometheus_text_init(&text, &report->out);
    struct metric_sink sink = prometheus_text_sink(&text);
    int status = pipeline_write_metrics(&report->pipeline, 1, &sink);
    int whole = prometheus_text_fini(&text);
    if (status != 0 || whole != 0) {
        fail_output(report, ENOMEM);
    }
    write_out(report);
}

static void finish_output(struct report *report)
{
    write_out(report);
    if (report->options->output == OUTPUT_TABLE) {
        bool color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
        table_print(report->table, color, stdout);
    } else if (report->options->output == OUTPUT_PROMETHEUS) {
        write_prometheus(report);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fail_output(report, errno);
    }
}

/* ---- options ---- */

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "vethscope read: %s%s%s\n", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value);
    return EXIT_STATUS_USAGE;
}

static bool parse_output(const char *text, enum output *output_out)
{
    for (unsigned i = 0; i < OUTPUTS; i++) {
        if (strcmp(text, output_names[i]) == 0) {
            *output_out = (enum output)i;
            return true;
        }
    }
    return false;
}

static bool parse_port(const char *text, uint16_t *port_out)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    bool number = end != text && *end == '\0' && errno == 0 && text[0] >= '0' && text[0] <= '9';
    if (!number || value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port_out = (uint16_t)value;
    return true;
}

/* Returns -1 to go on, or the exit status. */
static int take_option(struct read_options *options, int option, const char *value)
{
    switch (option) {
    case 'o':
        return parse_output(value, &options->output) ? -1 : usage_error("unknown output", value);
    case 'f':
        options->filter = value;
        return -1;
    case 'c':
        options->config_path = value;
        return -1;
    case 's':
        if (strcmp(value, "server") != 0 && strcmp(value, "client") != 0) {
            return usage_error("the side is server or client, not", value);
        }
        options->side = value[0] == 's' ? EXCHANGE_SERVER : EXCHANGE_CLIENT;
        return -1;
    case 'p':
        if (!parse_port(value, &options->server_ports[options->server_port_count])) {
            return usage_error("not a port", value);
        }
        options->server_port_count++;
        return -1;
    case 'h':
        fputs(usage, stdout);
        return EXIT_STATUS_DONE;
    default: /* getopt has said what is wrong */
        return EXIT_STATUS_USAGE;
    }
}

static int check_paths(const struct read_options *options)
{
    size_t standard_inputs = 0;
    for (size_t i = 0; i < options->path_count; i++) {
        standard_inputs += strcmp(options->paths[i], "-") == 0;
    }
    if (standard_inputs > 1) {
        return usage_error("standard input (-) can be read once only", NULL);
    }
    return options->path_count > 0 ? -1 : usage_error("name at least one capture file", NULL);
}

static int parse_options(struct read_options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{"output", required_argument, NULL, 'o'},
                                                 {"filter", required_argument, NULL, 'f'},
                                                 {"config", required_argument, NULL, 'c'},
                                                 {"side", required_argument, NULL, 's'},
                                                 {"server-port", required_argument, NULL, 'p'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "o:f:c:h", long_options, NULL)) != -1) {
        int status = take_option(options, option, optarg);
        if (status >= 0) {
            return status;
        }
    }
    options->paths = argv + optind;
    options->path_count = (size_t)(argc - optind);
    return check_paths(options);
}

/* ---- preparation ---- */

static int load_config(struct report *report)
{
    const struct read_options *options = report->options;
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    report->config =
        options->config_path != NULL ? config_read(options->config_path, error) : config_new();
    if (report->config == NULL) {
        fprintf(stderr, "%s\n", error);
        return EXIT_STATUS_USAGE;
    }
    if (options->server_port_count > 0) {
        free(report->config->http.server_ports);
        report->config->http.server_ports = calloc(options->server_port_count, sizeof(uint16_t));
        report->config->http.server_port_count = 0;
    }
    for (size_t i = 0; report->config->http.server_ports != NULL && i < options->server_port_count;
         i++) {
        report->config->http.server_ports[i] = options->server_ports[i];
        report->config->http.server_port_count = i + 1;
    }
    return EXIT_STATUS_DONE;
}

static int open_input(struct report *report)
{
    char error[CAPTURE_FILE_ERROR_SIZE];
    const char *expression = report->options->filter;
    report->filter = frame_filter_new(expression != NULL ? expression : "", error);
    if (report->filter == NULL) {
        fprintf(stderr, "vethscope read: %s\n", error);
        return EXIT_STATUS_USAGE;
    }
    report->timeline = timeline_open(report->options->paths, report->options->path_count, error);
    if (report->timeline == NULL) {
        fprintf(stderr, "vethscope read: %s\n", error);
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

static int build(struct report *report)
{
    const struct config *config = report->config;
    struct exchange_sink tap = {.context = report, .exchange = on_exchange, .event = on_event};
    report->directory = directory_new(config->names, config->name_count);
    report->routes = route_patterns_new((const char *const *)config->routes.patterns.items,
                                        config->routes.patterns.count);
    report->table = table_new(report->directory);
    struct pipeline_options options = {.config = config,
                                       .directory = report->directory,
                                       .routes = report->routes,
                                       .memory_bytes = READ_MEMORY_BYTES,
                                       .file_side = report->options->side,
                                       .tap = &tap};
    if (report->directory != NULL && report->routes != NULL && report->table != NULL) {
        report->pipeline = pipeline_new(&options);
    }
    if (report->pipeline == NULL) {
        fputs("vethscope read: out of memory\n", stderr);
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

/* ---- the work ---- */

static void read_frames(struct report *report)
{
    struct progress progress = progress_start(timeline_size(report->timeline));
    const struct frame *frame = NULL;
    int64_t ticked_ns = INT64_MIN;
    uint64_t frames = 0;
    while (report->output_error == 0 && (frame = timeline_next(report->timeline)) != NULL) {
        if (ticked_ns == INT64_MIN || frame->time_ns >= ticked_ns + TICK_NS ||
            frame->time_ns < ticked_ns - TICK_NS) {
            ticked_ns = frame->time_ns;
            pipeline_tick(report->pipeline, frame->time_ns);
        }
        if (frame_filter_passes(report->filter, frame)) {
            pipeline_frame(report->pipeline, frame);
        }
        if (++frames % PROGRESS_FRAMES == 0) {
            progress_update(&progress, timeline_position(report->timeline));
        }
    }
    pipeline_finish(report->pipeline);
    progress_end(&progress);
}

static void print_broken(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "vethscope read: %s\n", line);
}

static int make_report(struct report *report)
{
    int status = load_config(report);
    if (status == EXIT_STATUS_DONE) {
        status = open_input(report);
    }
    if (status == EXIT_STATUS_DONE) {
        status = build(report);
    }
    if (status != EXIT_STATUS_DONE) {
        return status;
    }
    read_frames(report);
    finish_output(report);
    struct pipeline_counters counters = pipeline_counters(report->pipeline);
    coverage_print(&report->coverage, &counters, stderr);
    if (report->output_error != 0) {
        fprintf(stderr, "vethscope read: cannot write the report: %s\n",
                strerrordesc_np(report->output_error));
        status = EXIT_STATUS_FAILED;
    }
    if (timeline_errors(report->timeline, print_broken, NULL) > 0) {
        status = EXIT_STATUS_FAILED;
    }
    return status;
}

static void report_fini(struct report *report)
{
    pipeline_free(report->pipeline);
    table_free(report->table);
    timeline_close(report->timeline);
    frame_filter_free(report->filter);
    route_patterns_free(report->routes);
    directory_free(report->directory);
    config_free(report->config);
    event_protobuf_fini(&report->protobuf);
    byte_writer_fini(&report->out);
}

int command_read(int argc, char **argv)
{
    struct read_options options = {.output = OUTPUT_TABLE, .side = EXCHANGE_SERVER};
    options.server_ports = calloc((size_t)argc, sizeof(uint16_t));
    if (options.server_ports == NULL) {
        return EXIT_STATUS_FAILED;
    }
    int status = parse_options(&options, argc, argv);
    if (status < 0) {
        struct report report = {.options = &options};
        event_protobuf_init(&report.protobuf);
        byte_writer_init(&report.out);
        status = make_report(&report);
        report_fini(&report);
    }
    free(options.server_ports);
    return status;
}
