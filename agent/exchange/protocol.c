#include "agent/exchange/protocol.h"

#include <stdbool.h>
#include <string.h>

/* A protocol's first bytes. `offset` skips a length field that precedes what is constant. */
struct signature {
    const char *name;
    size_t offset;
    size_t length;
    const char *bytes;
};

#define SIGNATURE(name, offset, literal)                                                           \
    {                                                                                              \
        name, offset, sizeof(literal) - 1, literal                                                 \
    }

static const struct signature signatures[] = {
    SIGNATURE("http2", 0, "PRI * HTTP/2.0\r\n"),    /* RFC 9113 section 3.4 */
    SIGNATURE("tls", 0, "\x16\x03"),                /* RFC 8446: handshake record */
    SIGNATURE("ssh", 0, "SSH-"),                    /* RFC 4253 section 4.2 */
    SIGNATURE("amqp", 0, "AMQP"),                   /* protocol header */
    SIGNATURE("postgresql", 4, "\x00\x03\x00\x00"), /* start-up message, version 3.0 */
    SIGNATURE("postgresql", 4, "\x04\xd2\x16\x2f"), /* SSLRequest */
    SIGNATURE("mysql", 3, "\x00\x0a"),              /* greeting, protocol version 10 */
    SIGNATURE("mongodb", 12, "\xdd\x07\x00\x00"),   /* OP_MSG */
    SIGNATURE("mongodb", 12, "\xd4\x07\x00\x00"),   /* OP_QUERY */
    SIGNATURE("redis", 0, "*1\r\n$"),               /* RESP array of bulk strings */
    SIGNATURE("redis", 0, "*2\r\n$"),
    SIGNATURE("redis", 0, "*3\r\n$"),
    SIGNATURE("redis", 0, "*4\r\n$"),
    SIGNATURE("nats", 0, "INFO {"),
    SIGNATURE("smtp", 0, "220 "),
    SIGNATURE("mqtt", 2, "\x00\x04MQTT"),  /* CONNECT with a short length */
    SIGNATURE("kafka", 4, "\x00\x12\x00"), /* ApiVersions request */
    SIGNATURE("zookeeper", 0, "\x00\x00\x00\x2d\x00\x00\x00\x00"),
};

/* Compares what is there of the signature; the bytes in front of it may be anything. */
static bool fits(const struct signature *signature, const char *bytes, size_t length)
{
    if (length <= signature->offset) {
        return true;
    }
    size_t there = length - signature->offset;
    size_t compared = there < signature->length ? there : signature->length;
    return memcmp(bytes + signature->offset, signature->bytes, compared) == 0;
}

const char *protocol_name(const char *bytes, size_t length)
{
    const char *name = "unknown";
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        const struct signature *signature = &signatures[i];
        if (!fits(signature, bytes, length)) {
            continue;
        }
        if (length >= signature->offset + signature->length) {
            return signature->name;
        }
        name = NULL;
    }
    return name;
}
