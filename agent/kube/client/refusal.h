#pragma once

#include "agent/base/slice.h"

#include <stddef.h>

/* The start of an answer that is no success, kept to be told in one line. */
#define REFUSAL_KEPT 4096

struct refusal {
    size_t length;
    char bytes[REFUSAL_KEPT];
};

void refusal_add(struct refusal *refusal, struct slice bytes);

/* "403: pods is forbidden: User ...": the server's own words, where there are any. */
void refusal_describe(const struct refusal *refusal, unsigned status, char *text, size_t size);

/* How long the answer's Status asks to be left alone; 0: it does not say. */
unsigned refusal_retry_after(const struct refusal *refusal);

/* "403: " and one line of printable characters of the message. */
void refusal_line(char *text, size_t size, unsigned status, struct slice message);

/* One line of printable characters of any text. */
void refusal_clean(char *text, size_t size, const char *from);
