#include "tests/support/conversation_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

/* Takes the next line off a text; false at its end. */
bool text_take_line(char **text, char **line_out)
{
    if (**text == '\0') {
        return false;
    }
    *line_out = *text;
    char *end = strchr(*text, '\n');
    if (end == NULL) {
        *text += strlen(*text);
    } else {
        *end = '\0';
        *text = end + 1;
    }
    return true;
}

bool text_is_line(const char *line, const char *wanted)
{
    return strcmp(line, wanted) == 0;
}

uint64_t text_number_of(const char *text, char **end_out)
{
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text) {
        text_fail("not a number: %s", text);
    }
    *end_out = end;
    return number;
}

int64_t text_duration_of(const char *text)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    bool negative = text[0] == '-';
    char *unit = NULL;
    int64_t number = (int64_t)text_number_of(text + negative, &unit);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return (negative ? -number : number) * units[i].ns;
        }
    }
    text_fail("not a time: %s", text);
}

static void add_bytes(struct text_bytes *bytes, const char *data, size_t length, size_t times)
{
    bytes->data = realloc(bytes->data, bytes->length + length * times + 1);
    if (bytes->data == NULL) {
        abort();
    }
    for (size_t i = 0; i < times; i++) {
        memcpy(bytes->data + bytes->length, data, length);
        bytes->length += length;
    }
}

/* "{x*500}" */
static const char *add_run(struct text_bytes *bytes, const char *at)
{
    char *end = NULL;
    if (at[1] == '\0' || at[2] != '*') {
        text_fail("not a run: %s", at);
    }
    uint64_t times = text_number_of(at + 3, &end);
    if (*end != '}') {
        text_fail("not a run: %s", at);
    }
    add_bytes(bytes, at + 1, 1, times);
    return end + 1;
}

static const char *add_escape(struct text_bytes *bytes, const char *at)
{
    char byte = at[1];
    const char *next = at + 2;
    if (byte == 'x') {
        char hex[3] = {at[2], at[2] == '\0' ? '\0' : at[3], '\0'};
        byte = (char)strtoul(hex, NULL, 16);
        next = at + 4;
    } else if (byte == 'r') {
        byte = '\r';
    } else if (byte == 'n') {
        byte = '\n';
    } else if (byte == 't') {
        byte = '\t';
    } else if (byte != '\\' && byte != '|' && byte != '{' && byte != ' ') {
        text_fail("not an escape: %s", at);
    }
    add_bytes(bytes, &byte, 1, 1);
    return next;
}

void text_bytes_add(struct text_bytes *bytes, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        if (*at == '|') {
            add_bytes(bytes, "\r\n", 2, 1);
            at++;
        } else if (*at == '\\') {
            at = add_escape(bytes, at);
        } else if (*at == '{') {
            at = add_run(bytes, at);
        } else {
            add_bytes(bytes, at++, 1, 1);
        }
    }
}
