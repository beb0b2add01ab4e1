#pragma once

#include <stdint.h>

/* Opens a listening TCP socket on "ADDR:PORT", "[V6]:PORT", or ":PORT" for all addresses of both
 * families. Returns 0 or -errno; -EINVAL: the text is no such address. The caller closes it. */
int listen_socket_open(const char *address, int *socket_out);

/* The port a socket is bound to, 0 when that cannot be told. */
uint16_t listen_socket_port(int socket);
