#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the texts of conversation.h are read. All of these abort with a message on a text that is not
 * well-formed: it is the test that is wrong. */

void text_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

bool text_is_line(const char *line, const char *wanted);

/* Takes the next line off a text; false at its end. */
bool text_take_line(char **text, char **line_out);

uint64_t text_number_of(const char *text, char **end_out);

/* "5us" in nanoseconds. */
int64_t text_duration_of(const char *text);

/* Bytes that grow; `data` is to be freed. */
struct text_bytes {
    char *data;
    size_t length;
};

/* Adds what a text with escapes stands for. */
void text_bytes_add(struct text_bytes *bytes, const char *text);
