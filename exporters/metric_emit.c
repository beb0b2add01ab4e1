#include "exporters/metric_emit.h"

#include <stdbool.h>

static bool ends_with(const char *name, const char *ending)
{
    size_t name_length = strlen(name);
    size_t length = strlen(ending);
    return name_length >= length && strcmp(name + name_length - length, ending) == 0;
}

/* By convention the unit is the name's last word, in front of "_total". */
static const char *unit_of(const char *name)
{
    if (ends_with(name, "_seconds") || ends_with(name, "_seconds_total")) {
        return "seconds";
    }
    if (ends_with(name, "_bytes") || ends_with(name, "_bytes_total")) {
        return "bytes";
    }
    return "";
}

static void emit(const struct metric_sink *sink, const struct metric_family *family,
                 const struct metric_point *point)
{
    sink->family(sink->context, family);
    sink->point(sink->context, point);
}

void metric_emit_counter(const struct metric_sink *sink, const char *name, const char *help,
                         uint64_t value)
{
    emit(sink,
         &(struct metric_family){
             .name = name, .help = help, .unit = unit_of(name), .type = METRIC_COUNTER},
         &(struct metric_point){.value = (double)value});
}

void metric_emit_gauge(const struct metric_sink *sink, const char *name, const char *help,
                       double value)
{
    emit(sink,
         &(struct metric_family){
             .name = name, .help = help, .unit = unit_of(name), .type = METRIC_GAUGE},
         &(struct metric_point){.value = value});
}

void metric_emit_info(const struct metric_sink *sink, const char *name, const char *help,
                      const struct metric_label *labels, size_t label_count)
{
    emit(sink,
         &(struct metric_family){.name = name, .help = help, .unit = "", .type = METRIC_GAUGE},
         &(struct metric_point){.labels = labels, .label_count = label_count, .value = 1});
}
