#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A temporary folder of one test; the path is good until folder_remove. */
static inline char *folder_make(void)
{
    char template[] = "/tmp/vethscope-test-XXXXXX";
    return mkdtemp(template) == NULL ? NULL : strdup(template);
}

/* Removes it with the files in it. */
static inline void folder_remove(char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry = NULL;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char name[600];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    rmdir(path);
    free(path);
}
