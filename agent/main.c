#include "agent/commands/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "vethscope tells how the HTTP services behind pod links are doing, from their packets.\n"
    "\n"
    "Usage:\n"
    "  vethscope run [OPTIONS]            watch live and serve Prometheus metrics\n"
    "  vethscope read [OPTIONS] FILE ...  report on capture files\n"
    "  vethscope check-config FILE        say whether a configuration file is right\n"
    "  vethscope probe [ADDRESS [PORT]]   ask a running agent whether it captures\n"
    "  vethscope --version\n"
    "  vethscope --help\n"
    "\n"
    "Every command has --help.\n";

/* Room for "vethscope" and the longest name of a command. */
#define COMMAND_NAME_SIZE 32

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"run", command_run},
    {"read", command_read},
    {"check-config", command_check_config},
    {"probe", command_probe},
};

/* The command's own messages, getopt's among them, begin with its whole name. */
static int run_command(const struct command *command, int argc, char **argv)
{
    char name[COMMAND_NAME_SIZE];
    snprintf(name, sizeof(name), "vethscope %s", command->name);
    argv[1] = name;
    return command->run(argc - 1, argv + 1);
}

static int print(const char *text)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
        perror("vethscope: standard output");
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return run_command(&commands[i], argc, argv);
        }
    }
    if (strcmp(name, "--version") == 0) {
        return print("vethscope " VETHSCOPE_VERSION "\n");
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return print(usage);
    }
    if (argc > 1) {
        fprintf(stderr, "vethscope: no command \"%s\"; see vethscope --help\n", name);
    } else {
        fputs("vethscope: name a command: run, read, check-config or probe; see vethscope --help\n",
              stderr);
    }
    return EXIT_STATUS_USAGE;
}
