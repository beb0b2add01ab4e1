#include "agent/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Below PIPE_BUF, so lines of several processes on one pipe never mix. */
#define LINE_SIZE 2048

/* Always kept free: what says that the line was cut, and its end. */
static const char cut_mark[] = " cut=true\n";
#define LINE_ROOM (LINE_SIZE - sizeof(cut_mark))

struct line {
    char text[LINE_SIZE];
    size_t length;
    bool cut; /* something did not fit: nothing more is appended */
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static atomic_int current_level = LOG_LEVEL_INFO;

/* All of the bytes or none: an escape is never cut in half. */
static void append(struct line *line, const char *bytes, size_t length, size_t room)
{
    if (line->cut || length > room - line->length) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

static void append_text(struct line *line, const char *text)
{
    append(line, text, strlen(text), LINE_ROOM);
}

static bool is_plain(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\' || *at == '=') {
            return false;
        }
    }
    return *value != '\0';
}

static size_t escape(char byte, char out[static 4])
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\nn\rr\tt";
    for (const char *pair = named; *pair != '\0'; pair += 2) {
        if (*pair == byte) {
            memcpy(out, (char[2]){'\\', pair[1]}, 2);
            return 2;
        }
    }
    if (byte >= ' ' && byte <= '~') {
        out[0] = byte;
        return 1;
    }
    memcpy(out, (char[4]){'\\', 'x', digits[(byte >> 4) & 0xf], digits[byte & 0xf]}, 4);
    return 4;
}

static void append_quoted(struct line *line, const char *value)
{
    append(line, "\"", 1, LINE_ROOM - 1);
    if (line->cut) {
        return;
    }
    for (const char *at = value; *at != '\0' && !line->cut; at++) {
        char escaped[4];
        append(line, escaped, escape(*at, escaped), LINE_ROOM - 1);
    }
    line->text[line->length++] = '"';
}

static void append_value(struct line *line, const char *value)
{
    if (!is_plain(value)) {
        append_quoted(line, value);
        return;
    }
    for (const char *at = value; *at != '\0' && !line->cut; at++) {
        append(line, at, 1, LINE_ROOM);
    }
}

static void append_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, sizeof(text) - length, ".%03uZ ", (unsigned)(now.tv_nsec / 1000000));
    append_text(line, text);
}

static void append_pairs(struct line *line, va_list pairs)
{
    const char *key = NULL;
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);
        append_text(line, " ");
        append_text(line, key);
        append_text(line, "=");
        if (value == NULL) {
            return; /* this may be the sentinel: nothing can be read behind it */
        }
        append_value(line, value);
    }
}

static void write_line(struct line *line)
{
    const char *end = line->cut ? cut_mark : "\n";
    memcpy(line->text + line->length, end, strlen(end));
    line->length += strlen(end);
    ssize_t written = write(STDERR_FILENO, line->text, line->length);
    (void)written; /* nobody is left to tell */
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

void log_event(enum log_level level, const char *module, const char *message, ...)
{
    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed)) {
        return;
    }
    int saved_errno = errno;
    struct line line = {.length = 0};
    append_time(&line);
    append_text(&line, level_names[level]);
    append_text(&line, " ");
    append_text(&line, module);
    append_text(&line, " msg=");
    append_quoted(&line, message);
    va_list pairs;
    va_start(pairs, message);
    append_pairs(&line, pairs);
    va_end(pairs);
    write_line(&line);
    errno = saved_errno;
}
