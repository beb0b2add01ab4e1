#include "agent/config/check.h"
#include "agent/config/events.h"
#include "agent/config/schema_rows.h"

static const struct schema_key value_keys[] = {
    {
        .name = "name",
        .kind = SCHEMA_TEXT,
        .required = true,
        .offset = offsetof(struct config_named_value, name),
        .max_length = NAME_MAX_LENGTH,
        .check = check_token,
        .help = "Name of the field or property.",
    },
    {
        .name = "value",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_named_value, value),
        .max_length = VALUE_MAX_LENGTH,
        .help = "What it is set to.",
    },
    {
        .name = "value_file",
        .kind = SCHEMA_TEXT,
        .offset = offsetof(struct config_named_value, value_file),
        .max_length = PATH_MAX_LENGTH,
        .check = check_not_empty,
        .help = "A file that holds the value instead, for secrets.",
    },
};
const struct schema_section schema_named_value = KEYS(value_keys);
