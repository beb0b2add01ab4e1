#include "http_parser/stream.h"

#include <stdio.h>
#include <string.h>

/* Prints the messages of one direction of a connection. */
static void print_messages(const char *bytes, size_t length)
{
    struct http_stream stream;
    http_stream_init(&stream, HTTP_REQUESTS);
    for (;;) {
        size_t consumed;
        enum http_event event = http_stream_next(&stream, bytes, length, &consumed);
        const struct http_head *head = &stream.head;
        if (event == HTTP_EVENT_HEAD) {
            struct http_slice host = head->field[HTTP_FIELD_HOST];
            printf("%.*s %.*s for %.*s", (int)head->method.length, head->method.data,
                   (int)head->target.length, head->target.data, (int)host.length,
                   host.data != NULL ? host.data : "");
        } else if (event == HTTP_EVENT_END) {
            printf(": body of %llu bytes\n", (unsigned long long)stream.body_bytes);
        } else {
            /* HTTP_EVENT_NONE: `length` bytes are left to be passed again with more behind them */
            printf("%zu bytes left\n", length - consumed);
            return;
        }
        bytes += consumed;
        length -= consumed;
    }
}

int main(void)
{
    static const char bytes[] = "GET /items HTTP/1.1\r\nHost: shop\r\n\r\n"
                                "PUT /items/7 HTTP/1.1\r\nHost: shop\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
                                "GET /items/8 HT";
    print_messages(bytes, strlen(bytes));
    return 0;
}
