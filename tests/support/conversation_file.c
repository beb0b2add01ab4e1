#include "tests/support/conversation.h"
#include "tests/support/conversation_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
        text_fail("cannot read %s", path);
    }
    fclose(file);
    return text;
}

static void add_line(char **text, const char *line)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s%s\n", *text == NULL ? "" : *text, line) < 0) {
        abort();
    }
    free(*text);
    *text = longer;
}

struct conversation_file conversation_load(const char *path)
{
    static const char title[] = "=== ";
    struct conversation_file file = {0};
    char *content = read_file(path);
    char *rest = content;
    char *line = NULL;
    bool expecting = false;
    while (text_take_line(&rest, &line)) {
        if (strncmp(line, title, sizeof(title) - 1) == 0) {
            file.cases = realloc(file.cases, (file.count + 1) * sizeof(*file.cases));
            file.cases[file.count++] = (struct conversation_case){
                .name = strdup(line + sizeof(title) - 1), .expected = strdup("")};
            expecting = false;
        } else if (file.count > 0 && line[0] != '#' && line[0] != '\0') {
            struct conversation_case *one = &file.cases[file.count - 1];
            if (text_is_line(line, "---")) {
                expecting = true;
            } else if (text_is_line(line, "as cut")) {
                one->as_cut = true;
            } else {
                one->shows_more = one->shows_more || text_is_line(line, "show times") ||
                                  text_is_line(line, "show events");
                add_line(expecting ? &one->expected : &one->script, line);
            }
        }
    }
    free(content);
    return file;
}

void conversation_unload(struct conversation_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->cases[i].name);
        free(file->cases[i].script);
        free(file->cases[i].expected);
    }
    free(file->cases);
    *file = (struct conversation_file){0};
}
