#include "tests/unit/kube/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 64,
    HEAD_SIZE = 8192
};

struct connection {
    struct http_server *server;
    int socket;
    pthread_t thread;
};

struct http_server {
    http_answer *answer;
    void *context;
    int socket;
    uint16_t port;
    pthread_t thread;
    struct connection connections[CONNECTIONS_MAX];
    unsigned count; /* written by the accepting thread, read after it has ended */
};

/* One head at a time: a client waits for an answer before it asks again. */
static bool read_head(int socket, char *head)
{
    size_t length = 0;
    while (length + 1 < HEAD_SIZE) {
        ssize_t got = recv(socket, head + length, HEAD_SIZE - 1 - length, 0);
        if (got <= 0) {
            return false;
        }
        length += (size_t)got;
        head[length] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            return true;
        }
    }
    return false;
}

static bool send_all(int socket, const struct kube_bytes *bytes)
{
    size_t sent = 0;
    while (sent < bytes->length) {
        ssize_t now = send(socket, bytes->bytes + sent, bytes->length - sent, MSG_NOSIGNAL);
        if (now <= 0) {
            return false;
        }
        sent += (size_t)now;
    }
    return true;
}

static void *serve(void *context)
{
    struct connection *connection = context;
    struct http_server *server = connection->server;
    char head[HEAD_SIZE];
    bool open = true;
    while (open && read_head(connection->socket, head)) {
        struct kube_bytes answer = {0};
        open = server->answer(server->context, head, &answer);
        open = send_all(connection->socket, &answer) && open;
        kube_bytes_free(&answer);
    }
    shutdown(connection->socket, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *context)
{
    struct http_server *server = context;
    while (server->count < CONNECTIONS_MAX) {
        int socket = accept(server->socket, NULL, NULL);
        if (socket < 0) {
            break;
        }
        struct connection *connection = &server->connections[server->count++];
        *connection = (struct connection){.server = server, .socket = socket};
        if (pthread_create(&connection->thread, NULL, serve, connection) != 0) {
            abort();
        }
    }
    return NULL;
}

struct http_server *http_server_start(http_answer *answer, void *context)
{
    struct http_server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (server == NULL) {
        abort();
    }
    server->answer = answer;
    server->context = context;
    server->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->socket < 0 || bind(server->socket, (struct sockaddr *)&address, length) != 0 ||
        listen(server->socket, CONNECTIONS_MAX) != 0 ||
        getsockname(server->socket, (struct sockaddr *)&address, &length) != 0 ||
        pthread_create(&server->thread, NULL, accept_all, server) != 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    return server;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server)
{
    shutdown(server->socket, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < server->count; i++) {
        shutdown(server->connections[i].socket, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].socket);
    }
    close(server->socket);
    free(server);
}

void http_add_whole(struct kube_bytes *answer, const char *status, struct kube_bytes body)
{
    char head[256];
    int length = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status,
                          body.length);
    kube_bytes_add(answer, head, (size_t)length);
    kube_bytes_add(answer, body.bytes, body.length);
    kube_bytes_free(&body);
}

void http_add_stream(struct kube_bytes *answer, struct kube_bytes body)
{
    char head[128];
    int length =
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 body.length);
    kube_bytes_add(answer, head, (size_t)length);
    kube_bytes_add(answer, body.bytes, body.length);
    kube_bytes_add(answer, "\r\n", 2);
    kube_bytes_free(&body);
}
