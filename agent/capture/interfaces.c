#include "agent/capture/interfaces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A pair that has run so long within this namespace is taken for one that stays: runtimes move an
 * end within milliseconds of making it. */
#define SETTLE_NS (2 * INT64_C(1000000000))

/* After a dump that failed. */
#define DUMP_AGAIN_NS INT64_C(1000000000)

struct interfaces {
    struct rtnetlink *rtnetlink;
    struct interface_table table;
    bool dump_wanted;
    int64_t dump_due_ns; /* when a failed dump is tried again; 0: at once */
    int64_t now_ns;      /* of the call under way */
    int64_t updated_ns;  /* of the latest update, or of the opening */
    int64_t due_ns;
};

static void on_link(void *context, const struct rtnetlink_link *link)
{
    struct interfaces *interfaces = context;
    interface_table_link(&interfaces->table, link, interfaces->now_ns);
}

static void on_link_gone(void *context, uint32_t index, bool moved)
{
    struct interfaces *interfaces = context;
    interface_table_link_gone(&interfaces->table, index, moved, interfaces->now_ns);
}

static void on_subnet_address(void *context, uint32_t index)
{
    struct interfaces *interfaces = context;
    interface_table_subnet_address(&interfaces->table, index);
}

static void on_default_route(void *context, uint32_t index)
{
    struct interfaces *interfaces = context;
    interface_table_default_route(&interfaces->table, index);
}

static void on_addressing_changed(void *context)
{
    struct interfaces *interfaces = context;
    interfaces->dump_wanted = true;
}

static int dump(struct interfaces *interfaces)
{
    interface_table_dump_begin(&interfaces->table);
    int status = rtnetlink_dump_links(interfaces->rtnetlink);
    if (status == 0) {
        status = rtnetlink_dump_addressing(interfaces->rtnetlink);
    }
    if (status == 0) {
        interface_table_dump_end(&interfaces->table, interfaces->now_ns);
    } else {
        interface_table_dump_abandon(&interfaces->table);
    }
    return status;
}

static void ask_queries(struct interfaces *interfaces)
{
    const struct interface *interface;
    while ((interface = interface_table_next_query(&interfaces->table)) != NULL) {
        uint32_t index = interface->link.index;
        if (rtnetlink_query_link(interfaces->rtnetlink, index) == -ENODEV) {
            interface_table_link_gone(&interfaces->table, index, false, interfaces->now_ns);
        }
    }
}

static void refresh_due(struct interfaces *interfaces)
{
    interfaces->due_ns = interface_table_due(&interfaces->table);
    int64_t again = interfaces->dump_due_ns;
    if (interfaces->dump_wanted && (interfaces->due_ns == 0 || again < interfaces->due_ns)) {
        interfaces->due_ns = again;
    }
}

void interfaces_update(struct interfaces *interfaces, int64_t now_ns)
{
    interfaces->table.heard_ns = interfaces->updated_ns;
    interfaces->updated_ns = now_ns;
    interfaces->now_ns = now_ns;
    int status = rtnetlink_drain(interfaces->rtnetlink);
    if (status == 0 && !interfaces->dump_wanted) {
        return;
    }
    interfaces->dump_wanted = interfaces->dump_wanted || status < 0;
    ask_queries(interfaces);
    if (interfaces->dump_wanted && now_ns >= interfaces->dump_due_ns) {
        interfaces->dump_wanted = dump(interfaces) < 0;
        interfaces->dump_due_ns = interfaces->dump_wanted ? now_ns + DUMP_AGAIN_NS : 0;
    }
    refresh_due(interfaces);
}

void interfaces_expire(struct interfaces *interfaces, int64_t now_ns, bool read_empty)
{
    if (interfaces->due_ns == 0 || now_ns < interfaces->due_ns) {
        return;
    }
    interfaces->now_ns = now_ns;
    interface_table_expire(&interfaces->table, now_ns, read_empty);
    refresh_due(interfaces);
}

int64_t interfaces_due(const struct interfaces *interfaces)
{
    return interfaces->due_ns;
}

int interfaces_fd(const struct interfaces *interfaces)
{
    return rtnetlink_fd(interfaces->rtnetlink);
}

struct interface_table *interfaces_table(struct interfaces *interfaces)
{
    return &interfaces->table;
}

/* A name without a pattern in it is of an interface that must be there; globs may match later. The
 * kernel also finds an interface by its alternative names, which are not what is matched. */
static bool check_name(struct interfaces *interfaces, const char *name, char *error_out)
{
    uint32_t index = if_nametoindex(name);
    const struct interface *interface =
        index == 0 ? NULL : interface_table_find(&interfaces->table, index);
    if (interface == NULL) {
        snprintf(error_out, LIVE_ERROR_SIZE, "interface %s does not exist", name);
        return false;
    }
    if (strcmp(interface->link.name, name) != 0) {
        snprintf(error_out, LIVE_ERROR_SIZE,
                 "%s is an alternative name of the interface %s: name that", name,
                 interface->link.name);
        return false;
    }
    return true;
}

static bool check_names(struct interfaces *interfaces, const struct live_options *options,
                        char *error_out)
{
    for (size_t i = 0; i < options->interface_count; i++) {
        const char *name = options->interfaces[i];
        if (strpbrk(name, "*?[") == NULL && !check_name(interfaces, name, error_out)) {
            return false;
        }
    }
    return true;
}

static void init_table(struct interfaces *interfaces, const struct live_options *options,
                       int64_t leave_ns, const struct live_callbacks *callbacks)
{
    const struct interface_table_options table_options = {
        .names = options->interfaces,
        .name_count = options->interface_count,
        .vantage = options->vantage,
        .settle_ns = SETTLE_NS,
        .leave_ns = leave_ns,
        .context = callbacks->context,
        .gone = callbacks->interface_gone,
    };
    interface_table_init(&interfaces->table, &table_options);
}

struct interfaces *interfaces_open(const struct live_options *options, int64_t leave_ns,
                                   const struct live_callbacks *callbacks,
                                   char error_out[static LIVE_ERROR_SIZE])
{
    struct interfaces *interfaces = calloc(1, sizeof(*interfaces));
    if (interfaces == NULL) {
        snprintf(error_out, LIVE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    init_table(interfaces, options, leave_ns, callbacks);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    interfaces->now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    interfaces->updated_ns = interfaces->now_ns;
    const struct rtnetlink_callbacks rtnetlink_callbacks = {
        interfaces,        on_link,          on_link_gone,
        on_subnet_address, on_default_route, on_addressing_changed};
    /* Addresses decide only the vantage of named interfaces. */
    bool with_addressing = options->interface_count > 0 && options->vantage == LIVE_VANTAGE_AUTO;
    interfaces->rtnetlink = rtnetlink_open(&rtnetlink_callbacks, with_addressing);
    int status = interfaces->rtnetlink == NULL ? -errno : dump(interfaces);
    if (status < 0) {
        snprintf(error_out, LIVE_ERROR_SIZE, "cannot ask the kernel for its interfaces: %s",
                 strerrordesc_np(-status));
    } else if (check_names(interfaces, options, error_out)) {
        refresh_due(interfaces);
        return interfaces;
    }
    interfaces_close(interfaces);
    return NULL;
}

void interfaces_close(struct interfaces *interfaces)
{
    if (interfaces == NULL) {
        return;
    }
    rtnetlink_close(interfaces->rtnetlink);
    interface_table_fini(&interfaces->table);
    free(interfaces);
}
