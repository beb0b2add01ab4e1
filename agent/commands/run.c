#include "agent/base/log.h"
#include "agent/capture/cooked_ring.h"
#include "agent/capture/kernel_filter.h"
#include "agent/commands/commands.h"
#include "agent/commands/exports.h"
#include "agent/commands/name_source.h"
#include "agent/commands/own_addresses.h"
#include "agent/commands/own_name.h"
#include "agent/commands/process_metrics.h"
#include "agent/commands/workers.h"
#include "agent/config/check.h"
#include "agent/config/config.h"
#include "agent/exchange/route.h"
#include "agent/privilege/privilege.h"
#include "exporters/metric_emit.h"
#include "exporters/prometheus/prometheus_server.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: vethscope run [OPTIONS]\n"
    "\n"
    "Watches the HTTP traffic of every pod link of this network namespace (veth and netkit whose\n"
    "peer is in another namespace) and serves metrics for Prometheus on /metrics, with /healthz\n"
    "and /readyz beside it. Needs the capability CAP_NET_RAW.\n"
    "\n"
    "  -c, --config FILE         configuration file (YAML)\n"
    "  -i, --interface NAME      watch this interface (or glob) instead; may be repeated\n"
    "  -f, --filter BPF          only packets that fit this pcap-filter(7) expression\n"
    "  -n, --name [SPACE/]NAME   what this network namespace's own addresses are called (sidecar)\n"
    "  -l, --listen ADDR:PORT    where to serve; default :9990, all addresses\n"
    "  -h, --help\n"
    "\n"
    "SIGINT and SIGTERM end it: what was captured until then is still counted.\n"
    "Exit status: 0 ended by a signal; 1 it could not capture or serve; 2 wrong usage or\n"
    "configuration.\n";

struct run_options {
    const char *config_path;
    const char *filter;
    const char *name;
    const char *listen;
    const char **interfaces;
    size_t interface_count;
};

struct agent {
    const struct run_options *options;
    struct config *config;
    struct name_source *names;
    struct route_patterns *routes;
    struct exports *exports; /* NULL: nothing is delivered */
    struct prometheus_server *server;
    struct workers workers;
    uint16_t own_port;
};

/* ---- options ---- */

/* Returns -1 to go on, or the exit status. */
static int take_option(struct run_options *options, int option, const char *value)
{
    switch (option) {
    case 'c':
        options->config_path = value;
        return -1;
    case 'i':
        if (check_interface(value) != NULL) {
            fprintf(stderr, "vethscope run: --interface \"%s\" %s\n", value,
                    check_interface(value));
            return EXIT_STATUS_USAGE;
        }
        options->interfaces[options->interface_count++] = value;
        return -1;
    case 'f':
        options->filter = value;
        return -1;
    case 'n':
        options->name = value;
        return -1;
    case 'l':
        options->listen = value;
        return -1;
    case 'h':
        fputs(usage, stdout);
        return EXIT_STATUS_DONE;
    default: /* getopt has said what is wrong */
        return EXIT_STATUS_USAGE;
    }
}

static int parse_options(struct run_options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"interface", required_argument, NULL, 'i'},
                                                 {"filter", required_argument, NULL, 'f'},
                                                 {"name", required_argument, NULL, 'n'},
                                                 {"listen", required_argument, NULL, 'l'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:i:f:n:l:h", long_options, NULL)) != -1) {
        int status = take_option(options, option, optarg);
        if (status >= 0) {
            return status;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "vethscope run: unexpected argument \"%s\"\n", argv[optind]);
        return EXIT_STATUS_USAGE;
    }
    return -1;
}

/* ---- what the server asks ---- */

static int render(void *context, const struct metric_sink *sink)
{
    const struct agent *agent = context;
    int status = workers_write(&agent->workers, sink);
    if (status != 0) {
        return status;
    }
    name_source_write(agent->names, sink);
    exports_write(agent->exports, sink);
    struct metric_label version = {"version", text_of(VETHSCOPE_VERSION)};
    metric_emit_info(sink, "vethscope_build_info", "The version of this agent.", &version, 1);
    process_metrics_write(sink);
    return 0;
}

static const char *not_healthy(void *context)
{
    const struct agent *agent = context;
    return workers_are_running(&agent->workers) ? NULL : "a capture worker has ended";
}

/* ---- preparation ---- */

static int fail_memory(void)
{
    fputs("vethscope run: out of memory\n", stderr);
    return EXIT_STATUS_FAILED;
}

static void set_log_level(const char *name)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            log_set_level((enum log_level)i);
        }
    }
}

static int load_config(struct agent *agent)
{
    const struct run_options *options = agent->options;
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    agent->config =
        options->config_path != NULL ? config_read(options->config_path, error) : config_new();
    if (agent->config == NULL) {
        fprintf(stderr, "%s\n", error);
        return EXIT_STATUS_USAGE;
    }
    set_log_level(agent->config->log_level);
    return EXIT_STATUS_DONE;
}

/* Before anything is opened, and in its own words: a wrong filter is no failure to capture. */
static int try_filter(const struct agent *agent)
{
    char error[LIVE_ERROR_SIZE];
    const char *expression = agent->options->filter;
    struct kernel_filter *filter = kernel_filter_new(expression != NULL ? expression : "",
                                                     COOKED_RING_SNAP_LENGTH, error, sizeof(error));
    if (filter == NULL) {
        fprintf(stderr, "vethscope run: %s\n", error);
        return EXIT_STATUS_USAGE;
    }
    kernel_filter_free(filter);
    return EXIT_STATUS_DONE;
}

static const char *listen_of(const struct agent *agent)
{
    return agent->options->listen != NULL ? agent->options->listen : agent->config->metrics.listen;
}

/* Where the agent itself is asked: its scrapes are not the node's traffic. Known before anything is
 * opened, as a wrong address is no failure to capture. */
static int find_own_port(const struct agent *agent, uint16_t *port_out)
{
    struct endpoint endpoint;
    if (config_listen_parse(listen_of(agent), &endpoint) != 0) {
        fprintf(stderr,
                "vethscope run: cannot listen on %s: not an ADDR:PORT, [V6]:PORT or :PORT\n",
                listen_of(agent));
        return EXIT_STATUS_USAGE;
    }
    *port_out = endpoint.port;
    return EXIT_STATUS_DONE;
}

/* All that takes a privilege, which ends with it. No thread may have been made before: it would
 * keep what this one gives up. */
static int open_rings(struct agent *agent)
{
    char error[LIVE_ERROR_SIZE];
    char denied[PRIVILEGE_ERROR_SIZE];
    const struct run_options *options = agent->options;
    const struct workers_choice choice = {.filter = options->filter,
                                          .interfaces = options->interfaces,
                                          .interface_count = options->interface_count};
    int status = privilege_raise(denied);
    if (status == 0 &&
        workers_open(&agent->workers, &agent->config->capture, &choice, error) != 0) {
        fprintf(stderr, "vethscope run: %s\n", error);
        return EXIT_STATUS_FAILED;
    }
    if (status == 0) {
        status = privilege_drop(denied);
    }
    if (status != 0) {
        fprintf(stderr, "vethscope run: %s\n", denied);
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

static int prepare_workers(struct agent *agent, const struct address *own_addresses,
                           size_t own_address_count)
{
    const struct pipeline_options pipeline = {.config = agent->config,
                                              .routes = agent->routes,
                                              .kubernetes = name_source_asks(agent->names),
                                              .own_port = agent->own_port,
                                              .own_addresses = own_addresses,
                                              .own_address_count = own_address_count};
    return workers_prepare(&agent->workers, &pipeline, agent->names, agent->exports) == 0
               ? EXIT_STATUS_DONE
               : fail_memory();
}

/* A pod without the label that names it is watched as well, by its addresses. */
static int name_itself(struct agent *agent, const struct address *addresses, size_t count)
{
    const char *name = agent->options->name;
    int status = name == NULL ? 0 : own_name_add(agent->config, name, addresses, count);
    if (status == -EINVAL) {
        log_event(LOG_LEVEL_WARN, "run", "--name names no service", "name", name, NULL);
        status = 0;
    }
    return status;
}

static int open_names(struct agent *agent, const struct address *own_addresses,
                      size_t own_address_count)
{
    char error[NAME_SOURCE_ERROR_SIZE] = "out of memory";
    int status = name_itself(agent, own_addresses, own_address_count);
    if (status == 0) {
        status =
            name_source_open(agent->config, own_addresses, own_address_count, &agent->names, error);
    }
    if (status != 0) {
        fprintf(stderr, "vethscope run: %s\n", error);
        return status == -ENOMEM ? EXIT_STATUS_FAILED : EXIT_STATUS_USAGE;
    }
    return EXIT_STATUS_DONE;
}

/* What needs to know the addresses of this network namespace. */
static int open_parts(struct agent *agent)
{
    size_t address_count = 0;
    struct address *addresses = own_addresses_list(&address_count);
    if (addresses == NULL) {
        return fail_memory();
    }
    int status = open_names(agent, addresses, address_count);
    if (status == EXIT_STATUS_DONE) {
        status = prepare_workers(agent, addresses, address_count);
    }
    free(addresses);
    return status;
}

static int start_server(struct agent *agent)
{
    char error[PROMETHEUS_SERVER_ERROR_SIZE];
    const struct config_metrics *metrics = &agent->config->metrics;
    struct endpoint endpoint = {.port = agent->own_port};
    config_listen_parse(listen_of(agent), &endpoint); /* it was checked before */
    struct prometheus_server_options options = {.address.port = endpoint.port,
                                                .listen = listen_of(agent),
                                                .native = metrics->native_histograms,
                                                .created = metrics->created_lines,
                                                .context = agent,
                                                .render = render,
                                                .not_ready = not_healthy,
                                                .not_healthy = not_healthy};
    memcpy(options.address.bytes, endpoint.address.bytes, sizeof(options.address.bytes));
    int status = prometheus_server_start(&options, &agent->server, error);
    if (status != 0) {
        fprintf(stderr, "vethscope run: %s\n", error);
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

static int open_exports(struct agent *agent)
{
    char error[EXPORTS_ERROR_SIZE];
    int status =
        exports_open(agent->config, agent->config->capture.workers, &agent->exports, error);
    if (status != 0) {
        fprintf(stderr, "vethscope run: %s\n", error);
        return status == -ENOMEM ? EXIT_STATUS_FAILED : EXIT_STATUS_USAGE;
    }
    return EXIT_STATUS_DONE;
}

static int start_workers(struct agent *agent)
{
    int status = exports_start(agent->exports, render, agent);
    if (status == 0) {
        status = workers_start(&agent->workers);
    }
    if (status != 0) {
        fprintf(stderr, "vethscope run: cannot start a thread: %s\n", strerrordesc_np(-status));
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

static int prepare(struct agent *agent)
{
    int status = load_config(agent);
    if (status == EXIT_STATUS_DONE) {
        status = try_filter(agent);
    }
    if (status == EXIT_STATUS_DONE) {
        status = find_own_port(agent, &agent->own_port);
    }
    if (status != EXIT_STATUS_DONE) {
        return status;
    }
    agent->routes = route_patterns_new((const char *const *)agent->config->routes.patterns.items,
                                       agent->config->routes.patterns.count);
    if (agent->routes == NULL) {
        return fail_memory();
    }
    status = open_rings(agent);
    if (status == EXIT_STATUS_DONE) {
        status = open_exports(agent);
    }
    return status == EXIT_STATUS_DONE ? open_parts(agent) : status;
}

/* ---- the agent's life ---- */

static void log_start(const struct agent *agent)
{
    char interfaces[16];
    char port[8];
    snprintf(interfaces, sizeof(interfaces), "%u", workers_interface_count(&agent->workers));
    snprintf(port, sizeof(port), "%u", (unsigned)prometheus_server_port(agent->server));
    log_event(LOG_LEVEL_INFO, "run", "watching", "version", VETHSCOPE_VERSION, "interfaces",
              interfaces, "port", port, NULL);
}

static void log_stop(const struct agent *agent)
{
    struct live_counters capture = workers_capture_counters(&agent->workers);
    char texts[3][24];
    snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, workers_exchanges(&agent->workers));
    snprintf(texts[1], sizeof(texts[1]), "%" PRIu64, capture.packets);
    snprintf(texts[2], sizeof(texts[2]), "%" PRIu64, capture.dropped);
    log_event(LOG_LEVEL_INFO, "run", "stopped", "exchanges", texts[0], "packets", texts[1],
              "dropped", texts[2], NULL);
}

/* Every thread is made with these blocked; this one waits for them. */
static sigset_t block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signals;
}

static int live_on(struct agent *agent)
{
    sigset_t signals = block_signals();
    int status = prepare(agent);
    if (status == EXIT_STATUS_DONE) {
        status = start_workers(agent);
    }
    if (status == EXIT_STATUS_DONE) {
        status = start_server(agent);
    }
    if (status != EXIT_STATUS_DONE) {
        return status;
    }
    log_start(agent);
    int received = 0;
    sigwait(&signals, &received);
    workers_stop(&agent->workers);
    exports_stop(agent->exports);
    log_stop(agent);
    return EXIT_STATUS_DONE;
}

/* Also of a start that failed half way: whatever runs ends before what it looks at goes. */
static void agent_fini(struct agent *agent)
{
    prometheus_server_stop(agent->server);
    workers_stop(&agent->workers);
    exports_close(agent->exports);
    workers_fini(&agent->workers);
    name_source_close(agent->names);
    route_patterns_free(agent->routes);
    config_free(agent->config);
}

int command_run(int argc, char **argv)
{
    struct run_options options = {0};
    options.interfaces = calloc((size_t)argc, sizeof(char *));
    if (options.interfaces == NULL) {
        return EXIT_STATUS_FAILED;
    }
    int status = parse_options(&options, argc, argv);
    if (status < 0) {
        struct agent agent = {.options = &options};
        status = live_on(&agent);
        agent_fini(&agent);
    }
    free(options.interfaces);
    return status;
}
