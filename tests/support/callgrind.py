"""Instructions of a program, counted by valgrind: the machine's own counters are often not for
programs to read, and valgrind's count is the same on each."""

import re
import subprocess


def count(argv, toggle=None, enter=()):
    """All of a run's in user space, or those within the function `toggle` and what it calls. `enter`
    is a command before it, as to be in another namespace."""
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"]
    if toggle is not None:
        options.append(f"--toggle-collect={toggle}")
    done = subprocess.run([*enter, "valgrind", *options, *map(str, argv)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr[-1000:]}")
    return int(collected[1])


def each(run, number, enter=()):
    """What one more costs: of `run(times)`, which returns argv for so many, twice as many less
    once; start and end of the program are in both."""
    return (count(run(2 * number), enter=enter) - count(run(number), enter=enter)) / number
