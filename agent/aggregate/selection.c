#include "agent/aggregate/selection.h"

#include "agent/aggregate/names.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* How this agent's deliveries begin their User-Agent. */
#define OWN_USER_AGENT "vethscope/"
/* Longer values are compared by their beginning. */
#define GLOB_TEXT_MAX 512

struct selection {
    struct exchange_sink next;
    struct aggregate_shard *shard;
    struct selection_rule *rules;
    size_t rule_count;
    struct address *own_addresses;
    size_t own_address_count;
    uint16_t own_port;
};

static bool is_own_address(const struct selection *selection, const struct address *address)
{
    for (size_t i = 0; i < selection->own_address_count; i++) {
        if (address_equal(&selection->own_addresses[i], address)) {
            return true;
        }
    }
    return false;
}

/* Somebody asks the agent. */
static bool is_own(const struct selection *selection, const struct connection *connection)
{
    return selection->own_port != 0 && connection->server.port == selection->own_port &&
           is_own_address(selection, &connection->server.address);
}

/* The agent delivers; another one that says so has another address. */
static bool is_own_delivery(const struct selection *selection, const struct connection *connection,
                            const struct exchange *exchange)
{
    size_t length = strlen(OWN_USER_AGENT);
    return exchange->user_agent.length > length &&
           memcmp(exchange->user_agent.data, OWN_USER_AGENT, length) == 0 &&
           is_own_address(selection, &connection->client.address);
}

static bool glob_fits(const char *pattern, struct slice value)
{
    if (pattern == NULL) {
        return true;
    }
    char text[GLOB_TEXT_MAX];
    size_t length = value.length < sizeof(text) - 1 ? value.length : sizeof(text) - 1;
    if (length > 0) {
        memcpy(text, value.data, length);
    }
    text[length] = '\0';
    return fnmatch(pattern, text, 0) == 0;
}

static bool rule_fits(const struct selection_rule *rule, const struct workload *server,
                      const struct exchange *exchange)
{
    return glob_fits(rule->namespace, server->namespace) &&
           glob_fits(rule->service, server->service) && glob_fits(rule->route, exchange->route) &&
           glob_fits(rule->user_agent, exchange->user_agent);
}

static bool is_excluded(const struct selection *selection, struct connection *connection,
                        const struct exchange *exchange)
{
    if (selection->rule_count == 0) {
        return false;
    }
    struct workload server = names_server(selection->shard, connection);
    for (size_t i = 0; i < selection->rule_count; i++) {
        if (rule_fits(&selection->rules[i], &server, exchange)) {
            return selection->rules[i].exclude;
        }
    }
    return false;
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    const struct selection *selection = context;
    if (is_own(selection, connection)) {
        return;
    }
    if (!is_own_delivery(selection, connection, exchange) &&
        !is_excluded(selection, connection, exchange)) {
        selection->next.exchange(selection->next.context, connection, exchange);
    } else if (exchange->ends_request) { /* its beginning was told before anybody could know */
        struct connection_event end = exchange_end(exchange);
        selection->next.event(selection->next.context, connection, &end);
    }
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    const struct selection *selection = context;
    if (!is_own(selection, connection)) {
        selection->next.event(selection->next.context, connection, event);
    }
}

/* A copy, at least one element large so that NULL means out of memory. */
static void *copy_of(const void *from, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    if (copy != NULL && count > 0) {
        memcpy(copy, from, count * size);
    }
    return copy;
}

struct selection *selection_new(const struct selection_options *options,
                                const struct exchange_sink *next)
{
    struct selection *selection = calloc(1, sizeof(*selection));
    if (selection == NULL) {
        return NULL;
    }
    selection->next = *next;
    selection->shard = options->shard;
    selection->own_port = options->own_port;
    selection->rule_count = options->rule_count;
    selection->rules = copy_of(options->rules, options->rule_count, sizeof(*options->rules));
    selection->own_address_count = options->own_address_count;
    selection->own_addresses =
        copy_of(options->own_addresses, options->own_address_count, sizeof(struct address));
    if (selection->rules == NULL || selection->own_addresses == NULL) {
        selection_free(selection);
        return NULL;
    }
    return selection;
}

void selection_free(struct selection *selection)
{
    if (selection != NULL) {
        free(selection->rules);
        free(selection->own_addresses);
        free(selection);
    }
}

struct exchange_sink selection_sink(struct selection *selection)
{
    return (struct exchange_sink){.context = selection, .exchange = on_exchange, .event = on_event};
}
