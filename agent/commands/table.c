#include "agent/commands/table.h"

#include "agent/aggregate/histogram.h"
#include "agent/aggregate/quantile.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Beyond so many rows nobody reads on; later services and routes share one row behind them. */
#define ROWS_MAX 4095
#define OTHER_NAME "(other)"
#define SLOTS 8192 /* about twice as many, so a look-up ends soon */
#define NAME_MAX_BYTES 128
/* The widths of a line of 100 columns: six numbers, and what they leave for the names. */
#define SERVICE_WIDTH_MAX 30
#define NAMES_WIDTH 46
#define NS_PER_SECOND 1e9
/* Statuses from here on are the server's errors (RFC 9110 section 15.6). */
#define STATUS_SERVER_ERROR 500

struct row {
    char service[NAME_MAX_BYTES];
    char route[NAME_MAX_BYTES];
    uint64_t requests;
    uint64_t errors;
    uint64_t bytes;
    struct histogram *durations;
};

struct table {
    const struct directory *directory;
    struct histogram_layout layout;
    struct row *slots[SLOTS];
    struct row *rows[ROWS_MAX + 1];
    size_t row_count;
    struct row *other; /* the shared row; NULL: there was room for all */
};

struct table *table_new(const struct directory *directory)
{
    struct table *table = calloc(1, sizeof(*table));
    static const double no_bounds[] = {1.0};
    if (table != NULL && histogram_layout_init(&table->layout, no_bounds, 1, NS_PER_SECOND) != 0) {
        free(table);
        return NULL;
    }
    if (table != NULL) {
        table->directory = directory;
    }
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        free(table->rows[i]->durations);
        free(table->rows[i]);
    }
    histogram_layout_fini(&table->layout);
    free(table);
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++) { /* FNV-1a */
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return hash;
}

static struct row *new_row(struct table *table)
{
    struct row *row = calloc(1, sizeof(*row));
    if (row == NULL) {
        return NULL;
    }
    row->durations = calloc(histogram_cells(&table->layout), sizeof(uint64_t));
    if (row->durations == NULL) {
        free(row);
        return NULL;
    }
    return row;
}

static struct row *add_row(struct table *table, const char *service, const char *route)
{
    struct row *row = new_row(table);
    if (row != NULL) {
        snprintf(row->service, sizeof(row->service), "%s", service);
        snprintf(row->route, sizeof(row->route), "%s", route);
        table->rows[table->row_count++] = row;
    }
    return row;
}

static struct row *other_row(struct table *table)
{
    if (table->other == NULL) {
        table->other = add_row(table, OTHER_NAME, "");
    }
    return table->other;
}

static struct row *row_of(struct table *table, const char *service, const char *route)
{
    uint32_t at = hash_text(hash_text(2166136261u, service) ^ '/', route) % SLOTS;
    for (; table->slots[at] != NULL; at = (at + 1) % SLOTS) {
        struct row *row = table->slots[at];
        if (strcmp(row->service, service) == 0 && strcmp(row->route, route) == 0) {
            return row;
        }
    }
    if (table->row_count >= ROWS_MAX) {
        return other_row(table);
    }
    table->slots[at] = add_row(table, service, route);
    return table->slots[at];
}

/* The server's configured name, else its address: never bytes that a peer chose. */
static void name_service(const struct table *table, const struct connection *connection,
                         char name[static NAME_MAX_BYTES])
{
    struct workload workload;
    if (directory_find(table->directory, &connection->server, &workload) == DIRECTORY_KNOWN) {
        snprintf(name, NAME_MAX_BYTES, "%.*s%s%.*s", (int)workload.namespace.length,
                 workload.namespace.data, workload.namespace.length > 0 ? "/" : "",
                 (int)workload.service.length, workload.service.data);
    } else {
        endpoint_format(&connection->server, name);
    }
}

void table_exchange(struct table *table, const struct connection *connection,
                    const struct exchange *exchange)
{
    if (exchange->outcome == EXCHANGE_REQUEST_ONLY || exchange->outcome == EXCHANGE_RESPONSE_ONLY) {
        return;
    }
    char service[NAME_MAX_BYTES];
    char route[NAME_MAX_BYTES];
    name_service(table, connection, service);
    snprintf(route, sizeof(route), "%.*s", (int)exchange->route.length,
             exchange->route.data == NULL ? "" : exchange->route.data);
    struct row *row = row_of(table, service, route);
    if (row == NULL) {
        return;
    }
    row->requests++;
    row->errors +=
        exchange->outcome != EXCHANGE_COMPLETE || exchange->status >= STATUS_SERVER_ERROR;
    row->bytes +=
        exchange->request_body_bytes != EXCHANGE_SIZE_UNKNOWN ? exchange->request_body_bytes : 0;
    row->bytes +=
        exchange->response_body_bytes != EXCHANGE_SIZE_UNKNOWN ? exchange->response_body_bytes : 0;
    if (exchange->start_ns != EXCHANGE_TIME_UNKNOWN &&
        exchange->response_end_ns != EXCHANGE_TIME_UNKNOWN) {
        histogram_observe(&table->layout, row->durations,
                          (uint64_t)(exchange->response_end_ns - exchange->start_ns));
    }
}

/* ---- printing ---- */

static int busiest_first(const void *a, const void *b)
{
    const struct row *left = *(struct row *const *)a;
    const struct row *right = *(struct row *const *)b;
    if (left->requests != right->requests) {
        return left->requests > right->requests ? -1 : 1;
    }
    int order = strcmp(left->service, right->service);
    return order != 0 ? order : strcmp(left->route, right->route);
}

/* At most seven characters, also where rounding adds a digit. */
static void format_seconds(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0)) { /* not a number: nothing was measured */
        snprintf(text, size, "-");
    } else if (seconds < 0.9995e-3) {
        snprintf(text, size, "%.0fus", seconds * 1e6);
    } else if (seconds < 0.99995) {
        snprintf(text, size, "%.1fms", seconds * 1e3);
    } else if (seconds < 999.995) {
        snprintf(text, size, "%.2fs", seconds);
    } else {
        snprintf(text, size, "%.0fs", seconds < 999999 ? seconds : 999999);
    }
}

static void format_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
        value /= 1024;
    }
    snprintf(text, size, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
}

static void print_name(const char *name, int width, FILE *out)
{
    if ((int)strlen(name) > width) {
        fprintf(out, "%.*s~", width - 1, name);
    } else {
        fprintf(out, "%-*s", width, name);
    }
}

static void print_row(const struct table *table, const struct row *row, int service_width,
                      bool color, FILE *out)
{
    struct metric_exponential exponential;
    uint64_t counts[HISTOGRAM_WINDOW];
    histogram_metric(&table->layout, row->durations, &exponential, counts);
    static const double ranks[] = {0.5, 0.9, 0.99};
    print_name(row->service, service_width, out);
    fputc(' ', out);
    print_name(row->route, NAMES_WIDTH - service_width, out);
    double share = 100.0 * (double)row->errors / (double)row->requests;
    bool alarming = color && row->errors > 0;
    fprintf(out, " %9" PRIu64 " %s%6.1f%%%s", row->requests, alarming ? "\033[31m" : "", share,
            alarming ? "\033[0m" : "");
    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
        char text[16];
        format_seconds(quantile_of(&exponential, ranks[i]), text, sizeof(text));
        fprintf(out, " %7s", text);
    }
    char bytes[16];
    format_bytes(row->bytes, bytes, sizeof(bytes));
    fprintf(out, " %9s\n", bytes);
}

void table_print(struct table *table, bool color, FILE *out)
{
    qsort(table->rows, table->row_count, sizeof(struct row *), busiest_first);
    int service_width = (int)sizeof("SERVICE") - 1;
    for (size_t i = 0; i < table->row_count; i++) {
        int length = (int)strlen(table->rows[i]->service);
        service_width = length > service_width ? length : service_width;
    }
    service_width = service_width < SERVICE_WIDTH_MAX ? service_width : SERVICE_WIDTH_MAX;
    fprintf(out, "%s%-*s %-*s %9s %7s %7s %7s %7s %9s%s\n", color ? "\033[1m" : "", service_width,
            "SERVICE", NAMES_WIDTH - service_width, "ROUTE", "REQUESTS", "ERRORS", "P50", "P90",
            "P99", "BYTES", color ? "\033[0m" : "");
    for (size_t i = 0; i < table->row_count; i++) {
        print_row(table, table->rows[i], service_width, color, out);
    }
}
