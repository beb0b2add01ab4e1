#include "exporters/delivery/named_value.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A token or a password; a longer one is the wrong file. */
#define VALUE_MAX 65536

int named_value_read(int fd, char **value_out)
{
    char *value = malloc(VALUE_MAX + 1);
    if (value == NULL) {
        return -ENOMEM;
    }
    ssize_t length = read(fd, value, VALUE_MAX);
    int status = length < 0 ? -errno : 0;
    while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL) {
        length--;
    }
    value[length > 0 ? length : 0] = '\0';
    /* A line end inside would begin another field of a request. */
    if (status == 0 && (strpbrk(value, "\r\n") != NULL || (size_t)length != strlen(value))) {
        status = -EBADMSG;
    }
    if (status != 0) {
        free(value);
        return status;
    }
    *value_out = value;
    return 0;
}
