#pragma once

/*
 * One line an event on standard error: time level module msg="..." key=value ...
 * The value of a key is escaped, so bytes that a peer controls cannot forge a line or move a
 * terminal's cursor. Only commands and life-cycle code log; library stages return a status.
 */
enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/* Lines above this level are not written; LOG_LEVEL_INFO at the start. Any thread. */
void log_set_level(enum log_level level);

/* A line; `message` is a literal. What follows are pairs of key and value (both `const char *`),
 * ended by NULL. Any thread; a line is written with one write. */
void log_event(enum log_level level, const char *module, const char *message, ...)
    __attribute__((sentinel));
