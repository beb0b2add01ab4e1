/*
 * Nanoseconds per head of every implementation that this processor runs, beside what merely finding
 * its lines and colons with memchr costs.
 *   bench_http_parser                       the medians of many rounds
 *   bench_http_parser WHAT HEAD HEADS       that many heads, for counting instructions: WHAT is the
 *                                           number of an implementation, or memchr
 */
#include "http_parser/head.h"
#include "http_parser/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 201,
    HEADS_PER_ROUND = 5000
};

/* Written to, so that no measured work can be left out. */
static volatile size_t sink;

static const char service_request[] = "GET /api/v1/orders/4815 HTTP/1.1\r\n"
                                      "Host: orders.shop:8080\r\n"
                                      "User-Agent: curl/7.88.1\r\n"
                                      "Accept: */*\r\n"
                                      "X-Request-Id: 7\r\n"
                                      "\r\n";

static const char browser_request[] =
    "GET /catalog/items?category=books&sort=price&page=2 HTTP/1.1\r\n"
    "Host: www.shop.example\r\n"
    "Connection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"120\", \"Not_A Brand\";v=\"24\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Referer: https://www.shop.example/catalog\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=d41d8cd98f00b204e9800998ecf8427e; theme=dark; visits=12; region=north\r\n"
    "\r\n";

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Server: nginx/1.9.2\r\n"
                               "Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 612\r\n"
                               "Last-Modified: Fri, 30 Jan 2026 08:15:30 GMT\r\n"
                               "Connection: keep-alive\r\n"
                               "ETag: \"65ba1c42-264\"\r\n"
                               "Accept-Ranges: bytes\r\n"
                               "\r\n";

typedef enum http_result head_parser(const char *bytes, size_t length, size_t *scanned,
                                     struct http_head *head_out);

static const struct head {
    const char *name;
    head_parser *parse;
    const char *bytes;
    size_t length;
} heads[] = {
    {"service request", http_request_head_parse, service_request, sizeof(service_request) - 1},
    {"browser request", http_request_head_parse, browser_request, sizeof(browser_request) - 1},
    {"response", http_response_head_parse, response, sizeof(response) - 1},
};

enum {
    HEADS = sizeof(heads) / sizeof(heads[0]),
    MEMCHR = HTTP_MACHINE_COUNT, /* measured beside the implementations */
    KINDS
};

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), compare);
    return values[count / 2];
}

static size_t memchr_pass(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    size_t colons = 0;
    const char *lf;
    for (const char *at = bytes; at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        if (lf == NULL)
            break;
        const char *colon = memchr(at, ':', (size_t)(lf - at));
        colons += colon != NULL ? (size_t)(colon - at) : 0;
    }
    return colons;
}

/* The bytes come from the heap, so that no compiler knows them. */
static void memchr_heads(const char *bytes, size_t length, long count)
{
    for (long i = 0; i < count; i++)
        sink = memchr_pass(bytes, length);
}

static void parse_heads(head_parser *parse, const char *bytes, size_t length, long count)
{
    struct http_head head;
    for (long i = 0; i < count; i++) {
        size_t scanned = 0;
        if (parse(bytes, length, &scanned, &head) != HTTP_DONE)
            abort();
        sink = head.length;
    }
}

/* False: not on this processor. */
static bool run(int kind, const struct head *head, const char *bytes, long count)
{
    if (kind == MEMCHR)
        memchr_heads(bytes, head->length, count);
    else if (http_machine_force((enum http_machine)kind))
        parse_heads(head->parse, bytes, head->length, count);
    else
        return false;
    return true;
}

static char *copy_of(const struct head *head)
{
    char *copy = malloc(head->length);
    if (copy == NULL)
        abort();
    return memcpy(copy, head->bytes, head->length);
}

/* Rounds of all kinds take turns, so that a noisy moment of the machine hits each. */
static void measure(const struct head *head)
{
    static double ns[KINDS][ROUNDS];
    static double ratios[ROUNDS];
    char *bytes = copy_of(head);
    for (int round = 0; round < ROUNDS; round++) {
        for (int kind = 0; kind < KINDS; kind++) {
            double start = now_ns();
            if (run(kind, head, bytes, HEADS_PER_ROUND))
                ns[kind][round] = (now_ns() - start) / HEADS_PER_ROUND;
        }
    }
    for (int kind = 0; kind < MEMCHR; kind++) {
        for (int round = 0; round < ROUNDS; round++)
            ratios[round] = ns[kind][round] / ns[MEMCHR][round];
        if (ns[kind][0] > 0)
            printf("%-16s %4zu bytes  %-9s %6.1f ns  ratio to memchr %5.2f\n", head->name,
                   head->length, http_machine_name((enum http_machine)kind),
                   median(ns[kind], ROUNDS), median(ratios, ROUNDS));
    }
    printf("%-16s %4zu bytes  %-9s %6.1f ns\n", head->name, head->length, "memchr",
           median(ns[MEMCHR], ROUNDS));
    free(bytes);
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        int kind = strcmp(argv[1], "memchr") == 0 ? MEMCHR : atoi(argv[1]);
        size_t index = (size_t)atoi(argv[2]);
        if (kind < 0 || kind > MEMCHR || index >= HEADS)
            return EXIT_FAILURE;
        char *bytes = copy_of(&heads[index]);
        bool ran = run(kind, &heads[index], bytes, atol(argv[3]));
        free(bytes);
        return ran ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    for (size_t i = 0; i < HEADS; i++)
        measure(&heads[i]);
    return 0;
}
