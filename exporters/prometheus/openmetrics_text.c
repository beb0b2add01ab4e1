#include "exporters/prometheus/openmetrics_text.h"

static const char *type_name(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    }
    return "unknown";
}

static bool ends_with(struct text text, const char *ending)
{
    size_t length = strlen(ending);
    return text.length > length && memcmp(text.data + text.length - length, ending, length) == 0;
}

/* A unit has to be the last word of the family's name. */
static bool has_unit(struct text name, const char *unit)
{
    size_t length = strlen(unit);
    return length > 0 && ends_with(name, unit) && name.length > length &&
           name.data[name.length - length - 1] == '_';
}

static void write_family(void *context, const struct metric_family *family)
{
    struct openmetrics_text *text = context;
    struct text name = text_of(family->name);
    if (family->type == METRIC_COUNTER && ends_with(name, "_total")) {
        name.length -= strlen("_total");
    }
    text->type = family->type;
    sample_lines_name(&text->lines, name.data, name.length);
    sample_lines_about(&text->lines, "TYPE", text_of(type_name(family->type)));
    if (has_unit(name, family->unit)) {
        sample_lines_about(&text->lines, "UNIT", text_of(family->unit));
    }
    sample_lines_about(&text->lines, "HELP", text_of(family->help));
}

static void write_point(void *context, const struct metric_point *point)
{
    struct openmetrics_text *text = context;
    sample_lines_labels(&text->lines, point);
    switch (text->type) {
    case METRIC_COUNTER:
        sample_lines_number(&text->lines, "_total", point->value);
        break;
    case METRIC_HISTOGRAM:
        sample_lines_histogram(&text->lines, &point->histogram);
        break;
    case METRIC_GAUGE:
        sample_lines_number(&text->lines, "", point->value);
        return;
    }
    if (text->created) {
        sample_lines_time(&text->lines, "_created", point->created_ns);
    }
}

void openmetrics_text_init(struct openmetrics_text *text, struct byte_writer *out, bool created)
{
    *text = (struct openmetrics_text){.created = created};
    sample_lines_init(&text->lines, out, true);
}

int openmetrics_text_fini(struct openmetrics_text *text)
{
    byte_writer_string(text->lines.out, "# EOF\n");
    return sample_lines_fini(&text->lines);
}

struct metric_sink openmetrics_text_sink(struct openmetrics_text *text)
{
    return (struct metric_sink){.context = text, .family = write_family, .point = write_point};
}
