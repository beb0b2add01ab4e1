#include "agent/commands/commands.h"
#include "agent/config/config.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: vethscope check-config FILE\n"
    "\n"
    "Reads a configuration file (\"-\" is standard input) and says whether it can be used.\n"
    "What is wrong is written to standard error as FILE:LINE:COLUMN: key: what is wrong.\n"
    "\n"
    "  -h, --help   this text\n"
    "\n"
    "Exit status: 0 the file is fine, 2 it is not or the usage is wrong.\n";

static int check(const char *path)
{
    char error[CONFIG_ERROR_SIZE];
    struct config *config = config_read(path, error);
    if (config == NULL) {
        fprintf(stderr, "%s\n", error);
        return EXIT_STATUS_USAGE;
    }
    config_free(config);
    if (printf("%s: ok\n", path) < 0 || fflush(stdout) != 0) {
        perror("vethscope check-config: standard output");
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

int command_check_config(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    optind = 0; /* begins anew, also inside a word */
    int option = getopt_long(argc, argv, "h", options, NULL);
    if (option == 'h') {
        fputs(usage, stdout);
        return EXIT_STATUS_DONE;
    }
    if (option != -1) {
        return EXIT_STATUS_USAGE;
    }
    if (argc - optind != 1) {
        fprintf(stderr, "%s: expected one FILE, found %d\n", argv[0], argc - optind);
        return EXIT_STATUS_USAGE;
    }
    return check(argv[optind]);
}
