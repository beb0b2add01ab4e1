#pragma once

/*
 * The commands of the program; each takes the arguments from its own name on and returns the exit
 * status: 0 done, 1 the work failed, 2 usage or configuration error.
 */
enum exit_status {
    EXIT_STATUS_DONE = 0,
    EXIT_STATUS_FAILED = 1,
    EXIT_STATUS_USAGE = 2
};

int command_run(int argc, char **argv);
int command_read(int argc, char **argv);
int command_check_config(int argc, char **argv);
int command_probe(int argc, char **argv);
