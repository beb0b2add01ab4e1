#pragma once

/*
 * The one privilege that capturing needs, for as long as it is needed. Linux keeps capabilities for
 * each thread: both functions act on the calling one, and only a process that has no other yet
 * loses them for good.
 */

/* Longest error text, terminator included. */
#define PRIVILEGE_ERROR_SIZE 512

/* Raises CAP_NET_RAW into the effective set, from the permitted one where the file's capability or
 * root has put it. Returns 0, or -EPERM with one line that says what is missing and who gives it.
 */
int privilege_raise(char error_out[static PRIVILEGE_ERROR_SIZE]);

/* Gives every capability up, in every set, and with no_new_privs the ways to get one back. The
 * bounding set stays where CAP_SETPCAP is missing, which emptying it takes: nothing can be gained
 * from it any more. Returns 0, or -errno with one line. */
int privilege_drop(char error_out[static PRIVILEGE_ERROR_SIZE]);
