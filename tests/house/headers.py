#!/usr/bin/env python3
"""Every header compiles alone and included twice, with each compiler: headers.py [TREE [FOLDER]],
FOLDER being where a build put the generated headers."""

import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys

import house

COMPILERS = ("gcc", "clang")
FLAGS = ("-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes",
         "-Werror", "-fsyntax-only", "-x", "c", "-")
LIBRARIES = ("libpcap", "yaml-0.1", "libmicrohttpd", "libmnl", "libprotobuf-c")


def library_flags():
    return shlex.split(subprocess.run(["pkg-config", "--cflags", *LIBRARIES], text=True,
                                      stdout=subprocess.PIPE, check=True).stdout)


def compile_header(compiler, name, root, flags):
    unit = f'#include "{name}"\n#include "{name}"\ntypedef int not_empty;\n'
    # From the root, as the compiler also looks for the header where it stands.
    done = subprocess.run([compiler, *flags, "-I.", *FLAGS], input=unit, text=True, cwd=root,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        return f"{name}: {compiler}: {done.stderr.strip()}"
    return None


def check(root):
    generated = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root / "build/release"
    generated = generated.resolve()
    flags = [*library_flags(), "-I", str(generated), "-I", str(generated / "exporters/proto")]
    names = [str(path.relative_to(root)) for path in house.c_files(root, *house.CODE_ROOTS)
             if path.suffix == ".h"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(compile_header, compiler, name, root, flags)
                for name in names for compiler in COMPILERS]
        for job in jobs:
            if job.result():
                yield job.result()


if __name__ == "__main__":
    sys.exit(house.main(check))
