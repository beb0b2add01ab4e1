#pragma once

#include "agent/tcp/tcp.h"
#include "tests/support/tcp_watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Connections written by hand, segment by segment, and what the TCP stage makes of them, as text:
 *   C:abc  S:de   bytes of the client, of the server        C.  S.   their ends
 *   C-12   C~12   a gap, one of a packet that was cut short  answered established
 *   C+3    C!3    retransmitted bytes, conflicting bytes     [fin] [reset S] [idle] ...
 */
struct net {
    struct tcp *tcp;
    struct tcp_watch watch;
    int64_t now_ns;
    int64_t step_ns; /* between packets */
    char trace[8192];
    size_t trace_length;
    bool unread_at_data; /* the next data makes its flow unread */
    bool quiet;          /* no trace, for long runs */
    const char *payload; /* of the segment being received */
    uint32_t payload_captured;
    uint64_t copied; /* bytes of data that did not come from there */
};

enum talker {
    CLIENT,
    SERVER
};

struct talk {
    struct net *net;
    uint16_t port; /* the client's */
    uint32_t interface;
    uint32_t sequence[2]; /* of each talker's SYN; its first byte is at 1 */
};

#define PATIENCE 16
#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)

/* Whether the client is the flow's side 1; the tests of a program run both ways. */
extern bool client_is_second;

/* A file's options: patience of 16 packets, none in time; room for plenty; idle after 60 s. */
struct tcp_options net_options(void);
void net_begin(struct net *net, const struct tcp_options *options);
void net_end(struct net *net);

/* Packets of somebody else, `count` of them; ticks as time passes. */
void net_pass(struct net *net, unsigned count);
void net_wait(struct net *net, int64_t duration_ns);

/* Compares and clears what was traced since the last call. */
void trace_clear(struct net *net);
void assert_trace_at(struct net *net, const char *expected, const char *file, int line);
#define assert_trace(net, expected) assert_trace_at(net, expected, __FILE__, __LINE__)

struct talk talk_begin(struct net *net);

struct payload {
    const char *bytes;
    uint32_t captured;
    uint32_t length; /* on the wire */
};

static inline struct payload cut(const char *bytes, uint32_t captured, uint32_t length)
{
    return (struct payload){bytes, captured, length};
}

static inline struct payload whole(const char *bytes, size_t length)
{
    return cut(bytes, (uint32_t)length, (uint32_t)length);
}

/* A segment with any flags; `ack` 0: none. The payload is copied to a buffer of its own that is
 * gone after. */
void talk_cut(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack, unsigned flags,
              struct payload payload);
void talk_flags(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack,
                unsigned flags, const char *text);

/* With the ordinary flags. */
void say(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack, const char *text);
void acknowledge(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack);
void finish(const struct talk *talk, enum talker from, uint32_t at, uint32_t ack);
void reset(const struct talk *talk, enum talker from, uint32_t at);
void handshake(const struct talk *talk); /* and clears the trace */
