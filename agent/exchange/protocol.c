#include "agent/exchange/protocol.h"

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

const char *protocol_name(const char *bytes, size_t length)
{
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        const struct signature *signature = &signatures[i];
        if (length >= signature->offset + signature->length &&
            memcmp(bytes + signature->offset, signature->bytes, signature->length) == 0) {
            return signature->name;
        }
    }
    return "unknown";
}
