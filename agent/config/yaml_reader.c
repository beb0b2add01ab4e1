#include "agent/config/yaml_reader.h"

#include "agent/config/config.h"
#include "agent/config/store.h"
#include "agent/config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/*
 * The events of libyaml, walked along the schema: what the schema does not expect at a place ends
 * the reading there, so nothing is built that has no row, and the depth is the schema's. One event
 * is looked at at a time; every read_ function starts at the first event of its node and stays at
 * the last. Aliases never arrive, so a small file stays small.
 *
 * The first error is the one reported; `path` names the key at hand.
 */
struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event;
    const struct yaml_source *source;
    struct yaml_result *result;
    char path[YAML_PATH_SIZE];
    bool in_list;
};

/* File names are cut to leave room for the message. */
#define SHOWN_NAME_MAX 200

static bool read_node(struct yaml_reader *reader, const struct schema_key *key, void *base);

void yaml_reader_describe(char *error, const struct yaml_source *source, struct yaml_mark mark,
                          const char *path, const char *problem)
{
    size_t length = strlen(source->name);
    bool cut = length > SHOWN_NAME_MAX;
    snprintf(error, CONFIG_ERROR_SIZE, "%s%s:%zu:%zu: %s: %s", cut ? "..." : "",
             source->name + (cut ? length - SHOWN_NAME_MAX : 0), mark.line, mark.column,
             path[0] == '\0' ? "document" : path, problem);
}

static struct yaml_mark mark_of(yaml_mark_t mark)
{
    return (struct yaml_mark){mark.line + 1, mark.column + 1};
}

__attribute__((format(printf, 3, 4))) static bool
fail(struct yaml_reader *reader, struct yaml_mark mark, const char *format, ...)
{
    char problem[VALUE_PROBLEM_SIZE + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    yaml_reader_describe(reader->result->error, reader->source, mark, reader->path, problem);
    return false;
}

static bool fail_here(struct yaml_reader *reader, const char *problem)
{
    return fail(reader, mark_of(reader->event.start_mark), "%s", problem);
}

/* libyaml gives undecodable bytes an offset only. */
static struct yaml_mark mark_of_offset(const struct yaml_source *source, size_t offset)
{
    struct yaml_mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < source->length; i++) {
        unsigned char byte = (unsigned char)source->bytes[i];
        if (byte == '\n') {
            mark = (struct yaml_mark){mark.line + 1, 1};
        } else if ((byte & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static bool fail_syntax(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return fail(reader, (struct yaml_mark){1, 1}, "out of memory");
    }
    if (parser->error == YAML_READER_ERROR) {
        return fail(reader, mark_of_offset(reader->source, parser->problem_offset),
                    "is not UTF-8 text: %s", parser->problem);
    }
    return fail(reader, mark_of(parser->problem_mark), "is not YAML: %s",
                parser->problem == NULL ? "unknown problem" : parser->problem);
}

static const unsigned char *tag_of(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
           : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
           : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                      : NULL;
}

/* Moves on to the next event. */
static bool next(struct yaml_reader *reader)
{
    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event) == 0) {
        return fail_syntax(reader);
    }
    if (reader->event.type == YAML_ALIAS_EVENT) {
        return fail_here(reader, "aliases are not supported");
    }
    return tag_of(&reader->event) == NULL || fail_here(reader, "tags are not supported");
}

static struct value_scalar scalar_of(const yaml_event_t *event)
{
    return (struct value_scalar){
        .text = (const char *)event->data.scalar.value,
        .length = event->data.scalar.length,
        .quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
    };
}

static bool is_null(const struct yaml_reader *reader)
{
    if (reader->event.type != YAML_SCALAR_EVENT) {
        return false;
    }
    struct value_scalar scalar = scalar_of(&reader->event);
    return value_is_null(&scalar);
}

static bool fail_expected(struct yaml_reader *reader, const char *noun)
{
    const char *found = reader->event.type == YAML_SEQUENCE_START_EVENT  ? "a list"
                        : reader->event.type == YAML_MAPPING_START_EVENT ? "a mapping"
                                                                         : "a single value";
    return fail(reader, mark_of(reader->event.start_mark), "expected %s, found %s", noun, found);
}

/* Appends to the path; the caller cuts it back to the length returned. */
__attribute__((format(printf, 2, 3))) static size_t extend_path(struct yaml_reader *reader,
                                                                const char *format, ...)
{
    size_t length = strlen(reader->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->path + length, sizeof(reader->path) - length, format, arguments);
    va_end(arguments);
    return length;
}

static bool read_scalar(struct yaml_reader *reader, const struct schema_key *key, void *field)
{
    char problem[VALUE_PROBLEM_SIZE];
    if (reader->event.type != YAML_SCALAR_EVENT) {
        char noun[VALUE_NOUN_SIZE];
        value_noun(key, noun, sizeof(noun));
        return fail_expected(reader, noun);
    }
    struct value_scalar scalar = scalar_of(&reader->event);
    return value_read(key, &scalar, field, problem) || fail_here(reader, problem);
}

static void note_given(struct yaml_reader *reader, struct yaml_mark mark)
{
    struct yaml_result *result = reader->result;
    if (!reader->in_list && result->given_count < YAML_GIVEN_MAX) {
        struct yaml_given *given = &result->given[result->given_count++];
        memcpy(given->path, reader->path, sizeof(given->path));
        given->mark = mark;
    }
}

static bool fail_unknown(struct yaml_reader *reader, const struct schema_section *section,
                         const struct value_scalar *name)
{
    struct yaml_mark mark = mark_of(reader->event.start_mark);
    char shown[48];
    char suggestion[2 * SCHEMA_NAME_SIZE];
    value_quote(name->text, name->length, shown, sizeof(shown));
    extend_path(reader, "%s%s", reader->path[0] == '\0' ? "" : ".", shown);
    if (schema_suggest(section, name->text, suggestion, sizeof(suggestion))) {
        return fail(reader, mark, "unknown key; did you mean %s?", suggestion);
    }
    return fail(reader, mark, "unknown key");
}

/* One key and its value. `lines` are those where the section's keys were given, 0: not yet. */
static bool read_pair(struct yaml_reader *reader, const struct schema_section *section, void *base,
                      size_t *lines)
{
    if (reader->event.type != YAML_SCALAR_EVENT) {
        return fail_expected(reader, "the name of a key");
    }
    struct value_scalar name = scalar_of(&reader->event);
    struct yaml_mark mark = mark_of(reader->event.start_mark);
    const struct schema_key *key = schema_find(section, name.text);
    if (key == NULL || strlen(name.text) != name.length) {
        return fail_unknown(reader, section, &name);
    }
    size_t length = extend_path(reader, "%s%s", reader->path[0] == '\0' ? "" : ".", key->name);
    size_t *line = &lines[key - section->keys];
    if (*line != 0) {
        return fail(reader, mark, "given twice, first in line %zu", *line);
    }
    *line = mark.line;
    note_given(reader, mark);
    if (!next(reader) || !read_node(reader, key, base)) {
        return false;
    }
    reader->path[length] = '\0';
    return true;
}

static bool read_mapping(struct yaml_reader *reader, const struct schema_section *section,
                         void *base)
{
    size_t lines[SCHEMA_SECTION_MAX] = {0};
    struct yaml_mark mark = mark_of(reader->event.start_mark);
    bool empty = is_null(reader); /* a section whose keys are all commented out */
    if (!empty && reader->event.type != YAML_MAPPING_START_EVENT) {
        return fail_expected(reader, "a mapping");
    }
    while (!empty) {
        if (!next(reader)) {
            return false;
        }
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            break;
        }
        if (!read_pair(reader, section, base, lines)) {
            return false;
        }
    }
    for (size_t i = 0; i < section->count; i++) {
        if (section->keys[i].required && lines[i] == 0) {
            return fail(reader, mark, "%s is missing", section->keys[i].name);
        }
    }
    return true;
}

static bool read_element(struct yaml_reader *reader, const struct schema_key *key, void *base,
                         size_t index)
{
    struct yaml_mark mark = mark_of(reader->event.start_mark);
    if (index == key->max_items) {
        return fail(reader, mark, "more than %zu items", key->max_items);
    }
    void *item = store_grow_list(key, base);
    if (item == NULL || (key->section != NULL && !store_apply_defaults(key->section, item))) {
        return fail(reader, mark, "out of memory");
    }
    size_t length = extend_path(reader, "[%zu]", index);
    reader->in_list = true;
    if (!(key->section != NULL ? read_mapping(reader, key->section, item)
                               : read_scalar(reader, key, item))) {
        return false;
    }
    const char *problem =
        key->check_item == NULL ? NULL : key->check_item(store_items(key, base), index);
    if (problem != NULL) {
        return fail(reader, mark, "%s", problem);
    }
    reader->path[length] = '\0';
    reader->in_list = false;
    return true;
}

static bool read_list(struct yaml_reader *reader, const struct schema_key *key, void *base)
{
    struct yaml_mark mark = mark_of(reader->event.start_mark);
    if (is_null(reader)) {
        return true; /* all items commented out: the default stands */
    }
    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        return fail_expected(reader, "a list");
    }
    store_clear_list(key, base);
    for (size_t index = 0;; index++) {
        if (!next(reader)) {
            return false;
        }
        if (reader->event.type == YAML_SEQUENCE_END_EVENT) {
            return index >= key->min_items || fail(reader, mark, "is empty");
        }
        if (!read_element(reader, key, base, index)) {
            return false;
        }
    }
}

static bool read_node(struct yaml_reader *reader, const struct schema_key *key, void *base)
{
    if (key->element_size > 0) {
        return read_list(reader, key, base);
    }
    void *field = store_field(base, key->offset);
    return key->section != NULL ? read_mapping(reader, key->section, field)
                                : read_scalar(reader, key, field);
}

static bool skip(struct yaml_reader *reader, unsigned count)
{
    bool done = true;
    for (; done && count > 0; count--) {
        done = next(reader);
    }
    return done;
}

/* The stream's frame around the one document; an empty stream is fine. */
static bool read_stream(struct yaml_reader *reader, const struct schema_section *section,
                        void *base)
{
    if (!skip(reader, 2)) {
        return false;
    }
    if (reader->event.type == YAML_STREAM_END_EVENT) {
        return true;
    }
    if (!next(reader) || !read_mapping(reader, section, base) || !skip(reader, 2)) {
        return false;
    }
    return reader->event.type == YAML_STREAM_END_EVENT ||
           fail_here(reader, "more than one document");
}

bool yaml_reader_read(const struct yaml_source *source, const struct schema_section *section,
                      void *base, struct yaml_result *result)
{
    struct yaml_reader reader = {.source = source, .result = result};
    if (yaml_parser_initialize(&reader.parser) == 0) {
        return fail(&reader, (struct yaml_mark){1, 1}, "out of memory");
    }
    const unsigned char *bytes = (const unsigned char *)source->bytes;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, bytes, source->length);
    bool done = read_stream(&reader, section, base);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return done;
}
