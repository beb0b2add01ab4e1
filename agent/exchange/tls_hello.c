#include "agent/exchange/tls_hello.h"

#include "agent/base/reader.h"

enum tls_content {
    CONTENT_FIRST = 20, /* change_cipher_spec */
    CONTENT_HANDSHAKE = 22,
    CONTENT_LAST = 23, /* application_data */
};

#define HANDSHAKE_CLIENT_HELLO 1
#define EXTENSION_SERVER_NAME 0
#define NAME_TYPE_HOST 0
#define MAJOR_VERSION 3
#define MINOR_VERSION_MAX 4
#define RECORD_HEADER 5
#define RANDOM_LENGTH 32
/* A ciphertext's, RFC 5246 section 6.2.3. */
#define RECORD_LENGTH_MAX ((1U << 14) + 2048)
#define HOST_NAME_MAX_LENGTH 253

bool tls_is_record(const char *bytes, size_t length)
{
    struct reader reader = reader_over(bytes, length);
    uint8_t content = reader_u8(&reader);
    uint8_t major = reader_u8(&reader);
    uint8_t minor = reader_u8(&reader);
    uint16_t record_length = reader_be16(&reader);
    return !reader.failed && content >= CONTENT_FIRST && content <= CONTENT_LAST &&
           major == MAJOR_VERSION && minor <= MINOR_VERSION_MAX && record_length > 0 &&
           record_length <= RECORD_LENGTH_MAX;
}

/* Fewer bytes than a record's header. */
static bool is_handshake_start(const char *bytes, size_t length)
{
    return length > 0 && bytes[0] == CONTENT_HANDSHAKE &&
           (length == 1 || bytes[1] == MAJOR_VERSION);
}

static bool is_host_name(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t lower = bytes[i] | 0x20;
        bool letter = (lower >= 'a' && lower <= 'z') || (bytes[i] >= '0' && bytes[i] <= '9');
        if (!letter && bytes[i] != '.' && bytes[i] != '-' && bytes[i] != '_') {
            return false;
        }
    }
    return length > 0 && length <= HOST_NAME_MAX_LENGTH;
}

/* The first host name of a ServerNameList. */
static enum tls_hello read_server_names(struct reader extension, struct slice *name_out)
{
    struct reader list = reader_sub(&extension, reader_be16(&extension));
    while (list.left > 0) {
        uint8_t type = reader_u8(&list);
        uint16_t length = reader_be16(&list);
        const uint8_t *name = reader_bytes(&list, length);
        if (name != NULL && type == NAME_TYPE_HOST && is_host_name(name, length)) {
            *name_out = (struct slice){(const char *)name, length};
            return TLS_HELLO_NAME;
        }
    }
    return TLS_HELLO_NONE;
}

/* Behind the hello's fixed fields. */
static enum tls_hello read_extensions(struct reader *hello, struct slice *name_out)
{
    struct reader extensions = reader_sub(hello, reader_be16(hello));
    while (extensions.left > 0) {
        uint16_t type = reader_be16(&extensions);
        struct reader extension = reader_sub(&extensions, reader_be16(&extensions));
        if (type == EXTENSION_SERVER_NAME && !extension.failed) {
            return read_server_names(extension, name_out);
        }
    }
    return TLS_HELLO_NONE;
}

enum tls_hello tls_hello_name(const char *bytes, size_t length, struct slice *name_out)
{
    if (length < RECORD_HEADER && is_handshake_start(bytes, length)) {
        return TLS_HELLO_INCOMPLETE;
    }
    if (!tls_is_record(bytes, length) || (uint8_t)bytes[0] != CONTENT_HANDSHAKE) {
        return TLS_HELLO_NONE;
    }
    struct reader reader = reader_over(bytes, length);
    reader_skip(&reader, RECORD_HEADER - 2);
    uint16_t record_length = reader_be16(&reader);
    if (reader.left > 0 && reader.at[0] != HANDSHAKE_CLIENT_HELLO) {
        return TLS_HELLO_NONE;
    }
    if (reader.left < record_length) {
        return TLS_HELLO_INCOMPLETE;
    }
    struct reader hello = reader_sub(&reader, record_length);
    reader_skip(&hello, 4 + 2 + RANDOM_LENGTH); /* type and length, version */
    reader_skip(&hello, reader_u8(&hello));     /* session id */
    reader_skip(&hello, reader_be16(&hello));   /* cipher suites */
    reader_skip(&hello, reader_u8(&hello));     /* compression methods */
    return read_extensions(&hello, name_out);
}
