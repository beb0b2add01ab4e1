#pragma once

#include "agent/config/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* A place in the file, both from 1; columns count characters. */
struct yaml_mark {
    size_t line;
    size_t column;
};

/* Longest key path with its terminator: "metrics.duration_buckets[63]" fits with room. */
#define YAML_PATH_SIZE 96

/* Where the keys outside of lists were given, for what can only be checked at the end. */
struct yaml_given {
    char path[YAML_PATH_SIZE];
    struct yaml_mark mark;
};
#define YAML_GIVEN_MAX 160

struct yaml_source {
    const char *name; /* as the user calls it */
    const char *bytes;
    size_t length;
};

struct yaml_result {
    struct yaml_given given[YAML_GIVEN_MAX];
    size_t given_count;
    char *error; /* CONFIG_ERROR_SIZE bytes of the caller's */
};

/*
 * Reads one document over the struct at `base`, whose keys hold their defaults. UTF-8 only; tags,
 * aliases and further documents are refused. False: `error` holds the whole line.
 */
bool yaml_reader_read(const struct yaml_source *source, const struct schema_section *section,
                      void *base, struct yaml_result *result);

/* Writes "FILE:LINE:COLUMN: key: problem"; a long FILE keeps its end. `error` as above. */
void yaml_reader_describe(char *error, const struct yaml_source *source, struct yaml_mark mark,
                          const char *path, const char *problem);
