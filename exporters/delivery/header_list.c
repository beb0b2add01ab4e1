#include "exporters/delivery/header_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct line {
    char *text;
    struct timespec changed; /* of the file when it was read */
    ino_t inode;             /* a renewed secret is a new file of the same name */
};

struct header_list {
    const struct named_value *headers;
    size_t count;
    struct line lines[];
};

struct header_list *header_list_new(const struct named_value *headers, size_t count)
{
    struct header_list *list = calloc(1, sizeof(*list) + count * sizeof(struct line));
    if (list != NULL) {
        list->headers = headers;
        list->count = count;
    }
    return list;
}

void header_list_free(struct header_list *list)
{
    if (list != NULL) {
        for (size_t i = 0; i < list->count; i++) {
            free(list->lines[i].text);
        }
        free(list);
    }
}

static int set_line(struct line *line, const char *name, const char *value)
{
    char *text = NULL;
    /* libcurl's way to send a field without a value */
    if (asprintf(&text, value[0] == '\0' ? "%s;" : "%s: %s", name, value) < 0) {
        return -ENOMEM;
    }
    free(line->text);
    line->text = text;
    return 1;
}

static int read_line(struct line *line, const struct named_value *header, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    if (line->text != NULL && status.st_ino == line->inode &&
        status.st_mtim.tv_sec == line->changed.tv_sec &&
        status.st_mtim.tv_nsec == line->changed.tv_nsec) {
        return 0;
    }
    char *value = NULL;
    int result = named_value_read(fd, &value);
    if (result == 0) {
        result = set_line(line, header->name, value);
        line->changed = status.st_mtim;
        line->inode = status.st_ino;
    }
    free(value);
    return result;
}

static int refresh_line(struct line *line, const struct named_value *header)
{
    if (header->value_file == NULL) {
        return line->text != NULL ? 0 : set_line(line, header->name, header->value);
    }
    int fd = open(header->value_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int result = read_line(line, header, fd);
    close(fd);
    return result;
}

int header_list_refresh(struct header_list *list, const char **path_out)
{
    int changed = 0;
    for (size_t i = 0; i < list->count; i++) {
        int result = refresh_line(&list->lines[i], &list->headers[i]);
        if (result < 0) {
            *path_out = list->headers[i].value_file != NULL ? list->headers[i].value_file : "";
            return result;
        }
        changed |= result;
    }
    return changed;
}

const char *header_list_line(const struct header_list *list, size_t index)
{
    return list->lines[index].text;
}
