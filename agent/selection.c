#include "agent/selection.h"

#include <fnmatch.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Addresses of this machine that are compared; a node has a handful. */
#define OWN_ADDRESSES_MAX 256
/* Longer values are compared by their beginning. */
#define GLOB_TEXT_MAX 512

struct selection {
    struct exchange_sink next;
    const struct config *config;
    const struct directory *directory;
    uint16_t own_port;
    size_t own_count;
    struct address own[OWN_ADDRESSES_MAX];
};

static void add_own(struct selection *selection, const struct sockaddr *socket_address)
{
    if (socket_address == NULL || selection->own_count == OWN_ADDRESSES_MAX) {
        return;
    }
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, socket_address, sizeof(v4));
        uint8_t bytes[4];
        memcpy(bytes, &v4.sin_addr, sizeof(bytes));
        selection->own[selection->own_count++] = address_from_ipv4(bytes);
    } else if (socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, socket_address, sizeof(v6));
        selection->own[selection->own_count++] = address_from_ipv6(v6.sin6_addr.s6_addr);
    }
}

static void collect_own(struct selection *selection)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) == 0) {
        for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
            add_own(selection, at->ifa_addr);
        }
        freeifaddrs(all);
    }
}

static bool is_own(const struct selection *selection, const struct connection *connection)
{
    if (selection->own_port == 0 || connection->server.port != selection->own_port) {
        return false;
    }
    for (size_t i = 0; i < selection->own_count; i++) {
        if (address_equal(&selection->own[i], &connection->server.address)) {
            return true;
        }
    }
    return false;
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

/* The rules speak of who was asked, on either side. */
static bool is_excluded(const struct selection *selection, const struct connection *connection,
                        const struct exchange *exchange)
{
    struct workload server = {0};
    directory_find(selection->directory, &connection->server, &server);
    for (size_t i = 0; i < selection->config->rule_count; i++) {
        const struct config_rule *rule = &selection->config->rules[i];
        if (glob_fits(rule->namespace, server.namespace) &&
            glob_fits(rule->service, server.service) && glob_fits(rule->route, exchange->route) &&
            glob_fits(rule->user_agent, exchange->user_agent)) {
            return rule->exclude;
        }
    }
    return false;
}

static void on_exchange(void *context, struct connection *connection,
                        const struct exchange *exchange)
{
    const struct selection *selection = context;
    if (is_own(selection, connection) ||
        (selection->config->rule_count > 0 && is_excluded(selection, connection, exchange))) {
        return;
    }
    selection->next.exchange(selection->next.context, connection, exchange);
}

static void on_event(void *context, struct connection *connection,
                     const struct connection_event *event)
{
    const struct selection *selection = context;
    if (!is_own(selection, connection)) {
        selection->next.event(selection->next.context, connection, event);
    }
}

struct selection *selection_new(const struct config *config, const struct directory *directory,
                                uint16_t own_port, const struct exchange_sink *next)
{
    struct selection *selection = calloc(1, sizeof(*selection));
    if (selection != NULL) {
        selection->next = *next;
        selection->config = config;
        selection->directory = directory;
        selection->own_port = own_port;
        collect_own(selection);
    }
    return selection;
}

void selection_free(struct selection *selection)
{
    free(selection);
}

struct exchange_sink selection_sink(struct selection *selection)
{
    return (struct exchange_sink){.context = selection, .exchange = on_exchange, .event = on_event};
}
