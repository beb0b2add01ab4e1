#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Conversations as text, and what is to be read in them. A file holds cases:
 *
 *     === a name
 *     # why this case is here
 *     >>> GET / HTTP/1.1|Host: a||
 *     <<< HTTP/1.1 200 OK|Content-Length: 2||
 *         ok
 *     close client
 *     ---
 *     GET / 200 complete 0>2
 *
 * `>>>` is what the client sends, `<<<` the server; indented lines go on with it. In the bytes `|`
 * is CR LF, `\r` `\n` `\t` `\xHH` `\\` `\|` are themselves and `{x*500}` is 500 times `x`. Behind
 * `---` stands what an observer writes (observer.h), and then its summary.
 *
 * Before the bytes: `lost` (sent, received, not captured), `twice`, `late` (captured after the next
 * packet), `flying` (not received until `land`). Lines of their own:
 *     handshake syn,answer,ack    what of it was captured, or none; first, else all of it
 *     cut 5,10                    sizes of the next bytes' packets; the last one repeats
 *     ack|fin|reset client|server one packet; close client|server: both ends, this one first
 *     land                        everything in flight arrives
 *     again 3                     the last packet but two is captured once more
 *     sequence client|server N    of its first byte; before the handshake
 *     time 5us                    of the next packet, since the beginning; ns, us, ms, s
 *     tick 400s                   time passes without a packet
 *     snap 96                     captured payload bytes of a packet; 0: all
 *     interface gone; crowd 10    (other connections carry data); reuse (the ports, anew)
 *     max-head, max-target, memory, flows, reorder, held, server-port N; idle T; show times, hosts,
 *     events                      settings; first
 *     as cut                      the case depends on how its bytes are cut
 */
struct conversation_case {
    char *name;
    char *script;
    char *expected;
    bool as_cut;     /* not to be cut in another way */
    bool shows_more; /* times or events, which depend on the cuts */
};

struct conversation_file {
    struct conversation_case *cases;
    size_t count;
};

/* How a case is played; zero: as it stands. */
struct conversation_variation {
    size_t mss; /* cuts every packet to so many bytes */
    bool twice; /* every packet is captured two times */
};

/* Reads a file of cases; aborts with a message when it is not well-formed. */
struct conversation_file conversation_load(const char *path);
void conversation_unload(struct conversation_file *file);

/* Plays a case and returns what the observer wrote, and "leak: ..." if it left anything behind; to
 * be freed. */
char *conversation_play(const struct conversation_case *one,
                        const struct conversation_variation *variation);
