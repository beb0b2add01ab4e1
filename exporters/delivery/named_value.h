#pragma once

/* A name with a value that may be a secret: then it is in a file, and not in the configuration. */
struct named_value {
    const char *name;
    const char *value;
    const char *value_file; /* holds the value instead; NULL: `value` */
};

/* Reads a value from an open file: its text, without white space at its end. Returns 0 with a
 * string for the caller to free, or -errno; -EBADMSG: more than one line, or a NUL. */
int named_value_read(int fd, char **value_out);
