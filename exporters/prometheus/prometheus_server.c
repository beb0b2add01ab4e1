#include "exporters/prometheus/prometheus_server.h"

#include "exporters/prometheus/exposition.h"
#include "exporters/prometheus/scrape_health.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * One thread for each connection: a scraper that reads slowly, or a scrape that takes long, keeps
 * its own thread and nobody else's. What a peer can hold is bounded by the limits below.
 */

/* Several Prometheus servers, probes and people at once. */
#define CONNECTION_LIMIT 64
/* Of these, what one address may hold: the others stay served. */
#define CONNECTION_LIMIT_PER_ADDRESS 16
/* Seconds without a byte before a connection is closed. */
#define CONNECTION_TIMEOUT_S 10
/* Request head and bookkeeping of one connection. */
#define CONNECTION_MEMORY (16 * 1024)
/* Expositions that are being made or sent; each may take megabytes for as long as its reader does.
 */
#define SCRAPE_LIMIT 4
/* Rendering needs a few KiB; the library's default would be the system's 8 MiB. */
#define CONNECTION_STACK (512 * 1024)

struct prometheus_server {
    struct prometheus_server_options options;
    struct MHD_Daemon *daemon;
    struct scrape_health health;
    atomic_uint scrapes;
    uint16_t port;
};

/* An exposition on its way to a scraper; the request and the response each hold it. */
struct scrape {
    struct prometheus_server *server;
    struct exposition_options how;
    struct byte_writer out;
    uint64_t busy_ns;
    atomic_uint holders;
};

/* What a request's state is until it is a scrape. */
static char seen;

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response, const char *content_type)
{
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned status,
                                  const char *text)
{
    char line[PROMETHEUS_SERVER_ERROR_SIZE];
    int length = snprintf(line, sizeof(line), "%.*s\n", (int)sizeof(line) - 2, text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)length, line, MHD_RESPMEM_MUST_COPY);
    return reply(connection, status, response, "text/plain; charset=utf-8");
}

static struct scrape *scrape_begin(struct prometheus_server *server)
{
    if (atomic_fetch_add(&server->scrapes, 1) >= SCRAPE_LIMIT) {
        atomic_fetch_sub(&server->scrapes, 1);
        return NULL;
    }
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    if (scrape == NULL) {
        atomic_fetch_sub(&server->scrapes, 1);
        return NULL;
    }
    scrape->server = server;
    atomic_store(&scrape->holders, 1);
    byte_writer_init(&scrape->out);
    return scrape;
}

/* The library calls this when the response is sent or given up, too. */
static void scrape_release(void *context)
{
    struct scrape *scrape = context;
    if (atomic_fetch_sub(&scrape->holders, 1) == 1) {
        atomic_fetch_sub(&scrape->server->scrapes, 1);
        byte_writer_fini(&scrape->out);
        free(scrape);
    }
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Returns 0 or -errno. */
static int render(const struct prometheus_server *server, const struct exposition_options *how,
                  struct byte_writer *out)
{
    struct exposition *exposition = exposition_new(how, out);
    if (exposition == NULL) {
        return -ENOMEM;
    }
    struct metric_sink sink = exposition_sink(exposition);
    int result = server->options.render(server->options.context, &sink);
    if (result == 0) {
        scrape_health_write(&server->health, &sink);
    }
    int whole = exposition_finish(exposition);
    return result != 0 ? result : whole;
}

static const char *field_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct MHD_Response *response_of(struct scrape *scrape)
{
    static char nothing[1];
    char *body = scrape->out.data == NULL ? nothing : scrape->out.data;
    atomic_fetch_add(&scrape->holders, 1);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        scrape->out.length, body, scrape_release, scrape);
    if (response == NULL) {
        atomic_fetch_sub(&scrape->holders, 1); /* the request holds it still */
        return NULL;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
    if (scrape->how.gzip) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
    return response;
}

/* The scrape goes into `state`, for the end of the request. */
static enum MHD_Result reply_metrics(struct prometheus_server *server,
                                     struct MHD_Connection *connection, void **state)
{
    struct scrape *scrape = scrape_begin(server);
    if (scrape == NULL) {
        scrape_health_fail(&server->health, SCRAPE_FAILURE_BUSY);
        return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many scrapes at once");
    }
    scrape->how = (struct exposition_options){
        .format = negotiation_format(field_of(connection, MHD_HTTP_HEADER_ACCEPT)),
        .gzip = negotiation_gzip(field_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING)),
        .native = server->options.native,
        .created = server->options.created};
    uint64_t start_ns = now_ns();
    int result = render(server, &scrape->how, &scrape->out);
    scrape->busy_ns = now_ns() - start_ns;
    if (result != 0) {
        scrape_release(scrape);
        scrape_health_fail(&server->health, SCRAPE_FAILURE_MEMORY);
        return reply_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, strerror(-result));
    }
    *state = scrape;
    return reply(connection, MHD_HTTP_OK, response_of(scrape),
                 exposition_content_type(scrape->how.format));
}

/* The end of a request, however it came. The parameters are the library's. */
static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct prometheus_server *server = context;
    (void)connection;
    if (*state == NULL || *state == &seen) {
        return;
    }
    struct scrape *scrape = *state;
    *state = NULL;
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        scrape_health_succeed(&server->health, scrape->how.format, scrape->out.length,
                              scrape->busy_ns);
    } else {
        scrape_health_fail(&server->health, SCRAPE_FAILURE_ABORTED);
    }
    scrape_release(scrape);
}

static enum MHD_Result reply_state(struct MHD_Connection *connection, const char *fine,
                                   const char *trouble)
{
    return trouble == NULL ? reply_text(connection, MHD_HTTP_OK, fine)
                           : reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, trouble);
}

static enum MHD_Result reply_not_allowed(struct MHD_Connection *connection)
{
    static char text[] = "only GET and HEAD\n";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response, "text/plain; charset=utf-8");
}

static enum MHD_Result dispatch(struct prometheus_server *server, struct MHD_Connection *connection,
                                const char *path, void **state)
{
    const struct prometheus_server_options *options = &server->options;
    if (strcmp(path, "/metrics") == 0) {
        return reply_metrics(server, connection, state);
    }
    if (strcmp(path, "/healthz") == 0) {
        return reply_state(connection, "healthy", options->not_healthy(options->context));
    }
    if (strcmp(path, "/readyz") == 0) {
        return reply_state(connection, "ready", options->not_ready(options->context));
    }
    return reply_text(connection, MHD_HTTP_NOT_FOUND, "not found; see /metrics, /healthz, /readyz");
}

/* Called for the head of a request, and again once its body (which we never want) is over. The
 * parameters are the library's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return reply_not_allowed(connection);
    }
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    *upload_size = 0;
    return dispatch(context, connection, path, state);
}

static struct MHD_Daemon *start_daemon(struct prometheus_server *server, int socket)
{
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                                MHD_USE_POLL | MHD_USE_ITC,
                            server->port, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
                            socket, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT,
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                            (unsigned)CONNECTION_LIMIT_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
                            (size_t)CONNECTION_STACK, MHD_OPTION_END);
}

static const char *reason_of(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "address in use";
    case EADDRNOTAVAIL:
        return "this machine has no such address";
    default:
        return strerror(error);
    }
}

static int open_server(struct prometheus_server *server)
{
    int socket = -1;
    int result = listen_socket_open(&server->options.address, &socket);
    if (result != 0) {
        return result;
    }
    server->port = listen_socket_port(socket);
    server->daemon = start_daemon(server, socket);
    if (server->daemon == NULL) {
        result = errno == 0 ? -ENOMEM : -errno;
        close(socket);
    }
    return result;
}

int prometheus_server_start(const struct prometheus_server_options *options,
                            struct prometheus_server **server_out,
                            char error_out[static PROMETHEUS_SERVER_ERROR_SIZE])
{
    struct prometheus_server *server = calloc(1, sizeof(*server));
    int result = -ENOMEM;
    if (server != NULL) {
        server->options = *options;
        result = open_server(server);
    }
    if (result != 0) {
        snprintf(error_out, PROMETHEUS_SERVER_ERROR_SIZE, "cannot listen on %.128s: %s",
                 options->listen, reason_of(-result));
        free(server);
        return result;
    }
    server->options.listen = NULL; /* the caller's text need not live on */
    *server_out = server;
    return 0;
}

uint16_t prometheus_server_port(const struct prometheus_server *server)
{
    return server->port;
}

void prometheus_server_stop(struct prometheus_server *server)
{
    if (server != NULL) {
        MHD_stop_daemon(server->daemon);
        free(server);
    }
}
