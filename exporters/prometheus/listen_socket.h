#pragma once

#include <stdint.h>

/* An address and port as numbers; whoever has a text for them reads it elsewhere. */
struct listen_address {
    uint8_t bytes[16]; /* IPv6, or IPv4 in its mapped form; all zero: every one of both families */
    uint16_t port;     /* 0: any that is free */
};

/* Opens a listening TCP socket. Returns 0 or -errno. The caller closes it. */
int listen_socket_open(const struct listen_address *address, int *socket_out);

/* The port a socket is bound to, 0 when that cannot be told. */
uint16_t listen_socket_port(int socket);
