/* Nanoseconds per head, beside what merely finding its lines and colons with memchr costs. */
#include "http_parser/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 21,
    HEADS_PER_ROUND = 100000
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

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(values[0]), compare);
    return values[ROUNDS / 2];
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

static double memchr_round(const char *bytes, size_t length)
{
    double start = now_ns();
    for (int i = 0; i < HEADS_PER_ROUND; i++)
        sink = memchr_pass(bytes, length);
    return (now_ns() - start) / HEADS_PER_ROUND;
}

static double parse_round(head_parser *parse, const char *bytes, size_t length)
{
    struct http_head head;
    double start = now_ns();
    for (int i = 0; i < HEADS_PER_ROUND; i++) {
        size_t scanned = 0;
        if (parse(bytes, length, &scanned, &head) != HTTP_DONE)
            abort();
        sink = head.length;
    }
    return (now_ns() - start) / HEADS_PER_ROUND;
}

/* Rounds of both kinds take turns, so that a noisy moment of the machine hits both. */
static void measure(const char *name, head_parser *parse, const char *bytes, size_t length)
{
    double parsed[ROUNDS];
    double searched[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        parsed[i] = parse_round(parse, bytes, length);
        searched[i] = memchr_round(bytes, length);
    }
    double parse_ns = median(parsed);
    double memchr_ns = median(searched);
    printf("%-16s %4zu bytes  parse %7.1f ns  memchr %7.1f ns  ratio %5.2f\n", name, length,
           parse_ns, memchr_ns, parse_ns / memchr_ns);
}

int main(void)
{
    measure("service request", http_request_head_parse, service_request,
            sizeof(service_request) - 1);
    measure("browser request", http_request_head_parse, browser_request,
            sizeof(browser_request) - 1);
    measure("response", http_response_head_parse, response, sizeof(response) - 1);
    return 0;
}
