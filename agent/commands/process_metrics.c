#include "agent/commands/process_metrics.h"

#include "exporters/metric_emit.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PROC_TEXT_MAX 4096
#define MICROSECONDS 1e-6

static bool read_proc(const char *path, char text[static PROC_TEXT_MAX])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(text, 1, PROC_TEXT_MAX - 1, file);
    fclose(file);
    text[length] = '\0';
    return length > 0;
}

/* The number that follows `words` words; 0 when there are fewer. */
static double number_behind(const char *text, unsigned words)
{
    for (; words > 0; words--) {
        text += strspn(text, " ");
        text += strcspn(text, " ");
    }
    return (double)strtoull(text, NULL, 10);
}

static void write_memory(const struct metric_sink *sink)
{
    char text[PROC_TEXT_MAX];
    if (!read_proc("/proc/self/statm", text)) {
        return;
    }
    double page = (double)sysconf(_SC_PAGESIZE);
    metric_emit_gauge(sink, "process_resident_memory_bytes", "Resident memory size in bytes.",
                      number_behind(text, 1) * page);
    metric_emit_gauge(sink, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
                      number_behind(text, 0) * page);
}

/* Field 22 of /proc/self/stat counts from the boot, in clock ticks (proc(5)); the name of the
 * program, which is field 2, may hold anything. */
static void write_start_time(const struct metric_sink *sink)
{
    char text[PROC_TEXT_MAX];
    if (!read_proc("/proc/self/stat", text)) {
        return;
    }
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL) {
        return;
    }
    double start_ticks = number_behind(after_name + 1, 22 - 3);
    struct timespec real;
    struct timespec boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double since_boot = start_ticks / (double)sysconf(_SC_CLK_TCK);
    double boot_time =
        (double)(real.tv_sec - boot.tv_sec) + (double)(real.tv_nsec - boot.tv_nsec) * 1e-9;
    metric_emit_gauge(sink, "process_start_time_seconds",
                      "Start time of the process since the epoch in seconds.",
                      boot_time + since_boot);
}

static void write_descriptors(const struct metric_sink *sink)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory != NULL) {
        unsigned open_count = 0;
        while (readdir(directory) != NULL) {
            open_count++;
        }
        closedir(directory);
        /* less ".", ".." and the directory's own */
        metric_emit_gauge(sink, "process_open_fds", "Number of open file descriptors.",
                          (double)open_count - 3);
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metric_emit_gauge(sink, "process_max_fds", "Maximum number of open file descriptors.",
                          (double)limit.rlim_cur);
    }
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * MICROSECONDS;
}

static void write_cpu(const struct metric_sink *sink)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return;
    }
    struct metric_family family = {.name = "process_cpu_seconds_total",
                                   .help = "Total user and system CPU time spent in seconds.",
                                   .unit = "seconds",
                                   .type = METRIC_COUNTER};
    struct metric_point point = {.value = seconds(usage.ru_utime) + seconds(usage.ru_stime)};
    sink->family(sink->context, &family);
    sink->point(sink->context, &point);
}

void process_metrics_write(const struct metric_sink *sink)
{
    write_cpu(sink);
    write_memory(sink);
    write_start_time(sink);
    write_descriptors(sink);
}
