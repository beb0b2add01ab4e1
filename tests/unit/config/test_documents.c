/* The example file and the reference page say what the schema says. `--print` writes the tables of
 * the reference page, to be put between its marks. */
#include "agent/config/config.h"
#include "agent/config/schema.h"
#include "agent/config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXAMPLE "deploy/vethscope.example.yaml"
#define REFERENCE "docs/configuration.md"
#define TABLES_BEGIN "<!-- keys: begin -->\n"
#define TABLES_END "<!-- keys: end -->"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    assert_non_null(file);
    ssize_t length = getdelim(&text, &room, '\0', file);
    assert_true(length > 0);
    fclose(file);
    return text;
}

/* "a list of up to 64: a number, 0.000001 to 86400". */
static void describe_value(const struct schema_key *key, FILE *out)
{
    char noun[VALUE_NOUN_SIZE];
    value_noun(key, noun, sizeof(noun));
    if (key->element_size > 0) {
        fprintf(out, "a list of up to %zu: ", key->max_items);
    }
    if (key->minimum == NULL) {
        fputs(noun, out);
        return;
    }
    const char *example = strstr(noun, " such as ");
    int length = (int)(example == NULL ? strlen(noun) : (size_t)(example - noun));
    fprintf(out, "%.*s, %s to %s", length, noun, key->minimum, key->maximum);
}

static void describe_default(const struct schema_key *key, FILE *out)
{
    if (key->required) {
        fputs("required", out);
    } else if (key->fallback == NULL) {
        fputs("absent", out);
    } else {
        fprintf(out, "`%s`", key->fallback[0] == '\0' ? "\"\"" : key->fallback);
    }
}

/* A section that is no list has a table of its own, behind the one it is in. */
static bool has_own_table(const struct schema_key *key)
{
    return key->section != NULL && key->element_size == 0;
}

static void write_rows(const char *path, const struct schema_section *section, FILE *out)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct schema_key *key = &section->keys[i];
        if (has_own_table(key)) {
            continue;
        }
        fprintf(out, "| `%s.%s` | ", path, key->name);
        describe_default(key, out);
        fputs(" | ", out);
        describe_value(key, out);
        fprintf(out, " | %s |\n", key->help);
        if (key->section != NULL) {
            char inner[2 * SCHEMA_NAME_SIZE + 4];
            snprintf(inner, sizeof(inner), "%s.%s[]", path, key->name);
            write_rows(inner, key->section, out);
        }
    }
}

static void write_table(const char *path, const struct schema_section *section, FILE *out)
{
    fputs("\n| Key | Default | Value | Meaning |\n|---|---|---|---|\n", out);
    write_rows(path, section, out);
    for (size_t i = 0; i < section->count; i++) {
        const struct schema_key *key = &section->keys[i];
        if (has_own_table(key)) {
            char inner[2 * SCHEMA_NAME_SIZE + 2];
            snprintf(inner, sizeof(inner), "%s.%s", path, key->name);
            fprintf(out, "\n### %s\n\n%s\n", inner, key->help);
            write_table(inner, key->section, out);
        }
    }
}

static void write_tables(FILE *out)
{
    const struct schema_section *root = schema_root();
    for (size_t i = 0; i < root->count; i++) {
        const struct schema_key *key = &root->keys[i];
        bool list = key->element_size > 0;
        char path[SCHEMA_NAME_SIZE + 2];
        snprintf(path, sizeof(path), "%s%s", key->name, list ? "[]" : "");
        fprintf(out, "\n## %s\n\n%s", key->name, key->help);
        if (list) {
            fprintf(out, " A list of up to %zu; default: `%s`.", key->max_items, key->fallback);
        }
        fputc('\n', out);
        write_table(path, key->section, out);
    }
    fputc('\n', out);
}

static void test_reference_holds_the_schema(void **state)
{
    (void)state;
    char *page = read_file(REFERENCE);
    char *begin = strstr(page, TABLES_BEGIN);
    char *end = strstr(page, TABLES_END);
    assert_true(begin != NULL && end != NULL && begin < end);
    *end = '\0';
    char *tables = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&tables, &length);
    assert_non_null(out);
    write_tables(out);
    fclose(out);
    if (strcmp(begin + strlen(TABLES_BEGIN), tables) != 0) {
        fail_msg("%s differs from the schema; unit_documents --print writes its tables", REFERENCE);
    }
    free(tables);
    free(page);
}

static void check_events(const struct config_events *example, const struct config_events *defaults)
{
    assert_memory_equal(&example->filter, &defaults->filter, sizeof(defaults->filter));
    assert_string_equal(example->file.path, "");
    assert_int_equal(example->file.max_bytes, defaults->file.max_bytes);
    assert_int_equal(example->file.max_age_s, defaults->file.max_age_s);
    assert_int_equal(example->file.keep, defaults->file.keep);
    assert_int_equal(example->file.compression, defaults->file.compression);
    assert_int_equal(example->file.flush_ms, defaults->file.flush_ms);
    assert_string_equal(example->http.url, "");
    assert_int_equal(example->http.compression, defaults->http.compression);
    assert_int_equal(example->http.batch_bytes, defaults->http.batch_bytes);
    assert_int_equal(example->http.batch_ms, defaults->http.batch_ms);
    assert_int_equal(example->http.timeout_ms, defaults->http.timeout_ms);
    assert_string_equal(example->kafka.brokers, "");
    assert_string_equal(example->kafka.topic, defaults->kafka.topic);
    assert_string_equal(example->kafka.compression, defaults->kafka.compression);
    assert_string_equal(example->spool.directory, "");
    assert_int_equal(example->spool.max_bytes, defaults->spool.max_bytes);
    assert_int_equal(example->queue_bytes, defaults->queue_bytes);
    assert_int_equal(example->ring_bytes, defaults->ring_bytes);
    assert_int_equal(example->retry_max_ms, defaults->retry_max_ms);
}

static void check_otlp(const struct config_otlp *example, const struct config_otlp *defaults)
{
    assert_string_equal(example->endpoint, "");
    assert_string_equal(example->metrics.endpoint, "");
    assert_int_equal(example->metrics.enabled, defaults->metrics.enabled);
    assert_int_equal(example->metrics.interval_ms, defaults->metrics.interval_ms);
    assert_int_equal(example->metrics.temporality, defaults->metrics.temporality);
    assert_int_equal(example->metrics.histograms, defaults->metrics.histograms);
    assert_string_equal(example->traces.endpoint, "");
    assert_int_equal(example->traces.enabled, defaults->traces.enabled);
    assert_int_equal(example->traces.spans, defaults->traces.spans);
    assert_true(example->traces.ratio >= defaults->traces.ratio);
    assert_int_equal(example->traces.slower_than_ms, defaults->traces.slower_than_ms);
    assert_int_equal(example->traces.query, defaults->traces.query);
    assert_string_equal(example->compression, defaults->compression);
    assert_int_equal(example->timeout_ms, defaults->timeout_ms);
    assert_int_equal(example->queue_bytes, defaults->queue_bytes);
    assert_int_equal(example->retry_max_ms, defaults->retry_max_ms);
}

static void test_example_is_valid_and_holds_the_defaults(void **state)
{
    (void)state;
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *example = config_read(EXAMPLE, error);
    struct config *defaults = config_new();
    if (example == NULL) {
        fail_msg("%s", error);
        abort(); /* for analysers, which do not know that fail_msg ends the test */
    }
    assert_non_null(defaults);
    assert_int_equal(example->capture.interfaces.count, defaults->capture.interfaces.count);
    assert_int_equal(example->capture.vantage, defaults->capture.vantage);
    assert_string_equal(example->capture.filter, defaults->capture.filter);
    assert_int_equal(example->capture.ring_bytes, defaults->capture.ring_bytes);
    assert_int_equal(example->capture.block_timeout_ms, defaults->capture.block_timeout_ms);
    assert_int_equal(example->capture.workers, defaults->capture.workers);
    assert_memory_equal(&example->tcp, &defaults->tcp, sizeof(defaults->tcp));
    assert_memory_equal(&example->memory, &defaults->memory, sizeof(defaults->memory));
    assert_int_equal(example->http.max_head_bytes, defaults->http.max_head_bytes);
    assert_int_equal(example->http.max_target_bytes, defaults->http.max_target_bytes);
    assert_int_equal(example->http.server_port_count, defaults->http.server_port_count);
    assert_int_equal(example->routes.max_per_service, defaults->routes.max_per_service);
    assert_string_equal(example->metrics.listen, defaults->metrics.listen);
    assert_int_equal(example->metrics.duration_bucket_count,
                     defaults->metrics.duration_bucket_count);
    assert_memory_equal(example->metrics.duration_buckets, defaults->metrics.duration_buckets,
                        defaults->metrics.duration_bucket_count * sizeof(double));
    assert_int_equal(example->metrics.max_series, defaults->metrics.max_series);
    assert_int_equal(example->metrics.series_idle_timeout_s,
                     defaults->metrics.series_idle_timeout_s);
    assert_int_equal(example->metrics.body_sizes, defaults->metrics.body_sizes);
    assert_int_equal(example->metrics.native_histograms, defaults->metrics.native_histograms);
    assert_int_equal(example->metrics.native_schema, defaults->metrics.native_schema);
    assert_int_equal(example->metrics.native_max_buckets, defaults->metrics.native_max_buckets);
    assert_int_equal(example->metrics.created_lines, defaults->metrics.created_lines);
    check_events(&example->events, &defaults->events);
    check_otlp(&example->otlp, &defaults->otlp);
    assert_string_equal(example->log_level, defaults->log_level);
    /* What calls itself an example is there to be seen. */
    assert_true(example->routes.patterns.count > 0);
    assert_true(example->name_count > 0);
    assert_true(example->rule_count > 0);
    config_free(example);
    config_free(defaults);
}

/* The key's line within `section`; keys of lists of mappings may follow a dash. */
static const char *find_line(const char *section, const char *end, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = section; line != NULL && line < end;) {
        const char *at = line + strspn(line, " -");
        if (strncmp(at, name, length) == 0 && at[length] == ':') {
            return line;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return NULL;
}

/* The comment block right in front of a line. */
static char *comment_before(const char *text, const char *line)
{
    const char *start = line;
    while (start > text) {
        const char *previous = start - 1;
        while (previous > text && previous[-1] != '\n') {
            previous--;
        }
        if (previous[strspn(previous, " ")] != '#') {
            break;
        }
        start = previous;
    }
    return strndup(start, (size_t)(line - start));
}

static void check_comment(const char *text, const char *line, const struct schema_key *key)
{
    char expected[256];
    bool quoted = key->fallback[0] == '\0' || key->fallback[0] == ':';
    char *comment = comment_before(text, line);
    assert_non_null(comment);
    bool example = strstr(comment, "# Example; default: ") != NULL;
    snprintf(expected, sizeof(expected), "# %s: %s%s%s\n", example ? "Example; default" : "Default",
             quoted ? "\"" : "", key->fallback, quoted ? "\"" : "");
    if (strstr(comment, expected) == NULL) {
        fail_msg("%s: no %s in front of it", key->name, expected);
    }
    free(comment);
}

/* Where the next top-level key begins. */
static const char *section_end(const char *line)
{
    for (const char *at = strchr(line, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        if (at[1] >= 'a' && at[1] <= 'z') {
            return at + 1;
        }
    }
    return line + strlen(line);
}

/* Where a nested section ends: at a line that is not deeper than its first. */
static const char *nested_end(const char *line, const char *end)
{
    size_t depth = strspn(line, " ");
    for (const char *at = strchr(line, '\n'); at != NULL && at + 1 < end;
         at = strchr(at + 1, '\n')) {
        size_t indent = strspn(at + 1, " ");
        if (indent <= depth && at[1 + indent] != '\n' && at[1 + indent] != '#') {
            return at + 1;
        }
    }
    return end;
}

static void check_keys(const char *text, const char *start, const char *end,
                       const struct schema_key *outer)
{
    for (size_t i = 0; i < outer->section->count; i++) {
        const struct schema_key *key = &outer->section->keys[i];
        const char *line = find_line(start, end, key->name);
        if (line == NULL) {
            fail_msg("%s.%s is not in %s", outer->name, key->name, EXAMPLE);
            break;
        }
        if (has_own_table(key)) {
            check_keys(text, line, nested_end(line, end), key);
        } else if (outer->element_size == 0) {
            check_comment(text, line, key);
        }
    }
}

static void test_example_has_every_key_and_names_its_default(void **state)
{
    (void)state;
    char *text = read_file(EXAMPLE);
    const struct schema_section *root = schema_root();
    for (size_t i = 0; i < root->count; i++) {
        const struct schema_key *outer = &root->keys[i];
        const char *section = find_line(text, text + strlen(text), outer->name);
        assert_non_null(section);
        if (outer->element_size > 0) {
            check_comment(text, section, outer);
        }
        check_keys(text, section, section_end(section), outer);
    }
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_holds_the_schema),
        cmocka_unit_test(test_example_is_valid_and_holds_the_defaults),
        cmocka_unit_test(test_example_has_every_key_and_names_its_default),
    };
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        write_tables(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
