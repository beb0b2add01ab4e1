#include "exporters/prometheus/prometheus_text.h"

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
    return "untyped";
}

static void write_family(void *context, const struct metric_family *family)
{
    struct prometheus_text *text = context;
    text->type = family->type;
    sample_lines_name(&text->lines, family->name, strlen(family->name));
    sample_lines_about(&text->lines, "HELP", text_of(family->help));
    sample_lines_about(&text->lines, "TYPE", text_of(type_name(family->type)));
}

static void write_point(void *context, const struct metric_point *point)
{
    struct prometheus_text *text = context;
    sample_lines_labels(&text->lines, point);
    if (text->type == METRIC_HISTOGRAM) {
        sample_lines_histogram(&text->lines, &point->histogram);
    } else {
        sample_lines_number(&text->lines, "", point->value);
    }
}

void prometheus_text_init(struct prometheus_text *text, struct byte_writer *out)
{
    *text = (struct prometheus_text){0};
    sample_lines_init(&text->lines, out, false);
}

int prometheus_text_fini(struct prometheus_text *text)
{
    return sample_lines_fini(&text->lines);
}

struct metric_sink prometheus_text_sink(struct prometheus_text *text)
{
    return (struct metric_sink){.context = text, .family = write_family, .point = write_point};
}
