#include "agent/commands/commands.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Asks an agent what a scraper would, for places that have no other client: the image holds none.
 */

#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_PORT "9990"
#define TIMEOUT_S 10L
/* A DNS name, brackets, a port and the longest path. */
#define URL_SIZE 320
/* Of a line of the metrics its beginning is enough. */
#define LINE_SIZE 128

static const char usage[] =
    "usage: vethscope probe [ADDRESS [PORT]]\n"
    "\n"
    "Asks a running agent, by default that on 127.0.0.1 and port 9990, whether it captures, and "
    "for\n"
    "its metrics. Says its version and how many interfaces it watches.\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "Exit status: 0 it is ready and answers as an agent does, 1 it does not, 2 wrong usage.\n";

struct answer {
    char line[LINE_SIZE];
    size_t length;
    char version[LINE_SIZE];
    char interfaces[LINE_SIZE];
};

/* What stands between `before` and the first of the characters `after`. */
static void take(const char *line, const char *before, const char *after, char *text_out)
{
    size_t length = strlen(before);
    if (strncmp(line, before, length) == 0) {
        snprintf(text_out, LINE_SIZE, "%.*s", (int)strcspn(line + length, after), line + length);
    }
}

/* Metrics may be long: they are looked at line by line as they come. */
static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    for (size_t i = 0; i < size * count; i++) {
        if (bytes[i] == '\n') {
            answer->line[answer->length] = '\0';
            take(answer->line, "vethscope_build_info{version=\"", "\"", answer->version);
            take(answer->line, "vethscope_capture_interfaces ", "", answer->interfaces);
            answer->length = 0;
        } else if (answer->length < sizeof(answer->line) - 1) {
            answer->line[answer->length++] = bytes[i];
        }
    }
    return size * count;
}

/* False: it has been said why. */
static bool get(CURL *curl, const char *base, const char *path, struct answer *answer)
{
    char url[URL_SIZE];
    char error[CURL_ERROR_SIZE] = "";
    snprintf(url, sizeof(url), "%s%s", base, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK) {
        fprintf(stderr, "%s: %s\n", url, error[0] != '\0' ? error : curl_easy_strerror(code));
        return false;
    }
    if (status != 200) {
        fprintf(stderr, "%s: answered %ld\n", url, status);
        return false;
    }
    return true;
}

static bool ask(CURL *curl, const char *base)
{
    struct answer answer = {0};
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    if (!get(curl, base, "/readyz", &answer) || !get(curl, base, "/metrics", &answer)) {
        return false;
    }
    if (answer.version[0] == '\0') {
        fprintf(stderr, "%s/metrics: these are not vethscope's\n", base);
        return false;
    }
    printf("%s: ready, version %s, %s interfaces\n", base, answer.version, answer.interfaces);
    return true;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = strtoul(text, NULL, 10);
    return digits > 0 && text[digits] == '\0' && number > 0 && number <= UINT16_MAX;
}

static int probe(const char *address, const char *port)
{
    char base[URL_SIZE - sizeof("/metrics")];
    bool v6 = strchr(address, ':') != NULL && address[0] != '[';
    int length =
        snprintf(base, sizeof(base), v6 ? "http://[%s]:%s" : "http://%s:%s", address, port);
    if (length < 0 || (size_t)length >= sizeof(base)) {
        fputs("vethscope probe: the address is too long\n", stderr);
        return EXIT_STATUS_USAGE;
    }
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (curl == NULL) {
        fputs("vethscope probe: out of memory\n", stderr);
        return EXIT_STATUS_FAILED;
    }
    bool done = ask(curl, base) && fflush(stdout) == 0;
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return done ? EXIT_STATUS_DONE : EXIT_STATUS_FAILED;
}

int command_probe(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    optind = 0; /* begins anew, also inside a word */
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        fputs(usage, stdout);
        return EXIT_STATUS_DONE;
    }
    if (option != -1) {
        return EXIT_STATUS_USAGE;
    }
    if (argc - optind > 2) {
        fprintf(stderr, "%s: expected ADDRESS and PORT at most\n", argv[0]);
        return EXIT_STATUS_USAGE;
    }
    const char *address = argc - optind > 0 ? argv[optind] : DEFAULT_ADDRESS;
    const char *port = argc - optind > 1 ? argv[optind + 1] : DEFAULT_PORT;
    if (!is_port(port)) {
        fprintf(stderr, "%s: \"%s\" is no port\n", argv[0], port);
        return EXIT_STATUS_USAGE;
    }
    return probe(address, port);
}
