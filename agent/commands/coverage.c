#include "agent/commands/coverage.h"

#include <inttypes.h>
#include <string.h>

void coverage_exchange(struct coverage *coverage, const struct exchange *exchange)
{
    if (exchange->outcome == EXCHANGE_REQUEST_ONLY) {
        coverage->request_only[exchange->reason]++;
    } else if (exchange->outcome == EXCHANGE_RESPONSE_ONLY) {
        coverage->response_only[exchange->reason]++;
    } else {
        coverage->exchanges++;
    }
    coverage->ambiguous += exchange->ambiguous;
}

static struct coverage_protocol *protocol_of(struct coverage *coverage, const char *name)
{
    for (unsigned i = 0; i < coverage->protocol_count; i++) {
        if (strcmp(coverage->protocols[i].name, name) == 0) {
            return &coverage->protocols[i];
        }
    }
    if (coverage->protocol_count == COVERAGE_PROTOCOLS_MAX) {
        return &coverage->protocols[COVERAGE_PROTOCOLS_MAX - 1];
    }
    struct coverage_protocol *fresh = &coverage->protocols[coverage->protocol_count++];
    fresh->name = name;
    return fresh;
}

static void count_server(struct coverage *coverage, struct slice name)
{
    unsigned i = 0;
    if (name.data == NULL || name.length >= COVERAGE_SERVER_SIZE) {
        return;
    }
    while (i < coverage->server_count &&
           (strncmp(coverage->servers[i].name, name.data, name.length) != 0 ||
            coverage->servers[i].name[name.length] != '\0')) {
        i++;
    }
    if (i == COVERAGE_SERVERS_MAX) {
        coverage->other_servers++;
        return;
    }
    if (i == coverage->server_count) {
        coverage->server_count++;
        memcpy(coverage->servers[i].name, name.data, name.length);
    }
    coverage->servers[i].connections++;
}

void coverage_event(struct coverage *coverage, const struct connection_event *event)
{
    if (event->kind == CONNECTION_MISSED) {
        coverage->missed_bytes += event->amount;
    } else if (event->kind == CONNECTION_BLIND) {
        protocol_of(coverage, event->protocol)->connections += event->amount;
        count_server(coverage, event->server_name);
    } else if (event->kind == CONNECTION_BLIND_BYTES) {
        protocol_of(coverage, event->protocol)->bytes += event->amount;
    }
}

static void print_counts(const char *what, const uint64_t counts[COVERAGE_REASONS], FILE *out)
{
    for (unsigned reason = 0; reason < COVERAGE_REASONS; reason++) {
        if (counts[reason] > 0) {
            fprintf(out, "  %-34s %12" PRIu64 "  (%s)\n", what, counts[reason],
                    exchange_reason_name((enum exchange_reason)reason));
        }
    }
}

static void print_count(const char *what, uint64_t count, FILE *out)
{
    if (count > 0) {
        fprintf(out, "  %-34s %12" PRIu64 "\n", what, count);
    }
}

void coverage_print(const struct coverage *coverage, const struct pipeline_counters *counters,
                    FILE *out)
{
    fprintf(out, "%" PRIu64 " exchanges in %" PRIu64 " packets\n", coverage->exchanges,
            counters->frames);
    print_count("bytes missed", coverage->missed_bytes, out);
    print_counts("requests without their response", coverage->request_only, out);
    print_counts("responses without their request", coverage->response_only, out);
    print_count("ambiguous exchanges", coverage->ambiguous, out);
    for (unsigned i = 0; i < coverage->protocol_count; i++) {
        const struct coverage_protocol *protocol = &coverage->protocols[i];
        fprintf(out, "  %-34s %12" PRIu64 "  (%s, %" PRIu64 " bytes)\n", "unreadable connections",
                protocol->connections, protocol->name, protocol->bytes);
    }
    for (unsigned i = 0; i < coverage->server_count; i++) {
        fprintf(out, "  %-34s %12" PRIu64 "  (%s)\n", "TLS connections by name asked for",
                coverage->servers[i].connections, coverage->servers[i].name);
    }
    print_count("TLS connections for other names", coverage->other_servers, out);
    print_count("IP fragments", counters->fragments, out);
    print_count("damaged packets", counters->damaged, out);
    print_count("packets of unknown link types", counters->unknown_link, out);
    print_count("segments far from their stream", counters->out_of_window, out);
    print_count("connections evicted", counters->flows_evicted, out);
    print_count("segments refused while reordering", counters->held_refused, out);
    print_count("heads refused", counters->heads_refused, out);
}
