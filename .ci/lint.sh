#!/usr/bin/env bash
# lint.sh: formatting, clang-tidy, shellcheck, Python syntax and the rules of the house.
# lint.sh short: the same, with clang-tidy on the program alone and not on its tests.
# lint.sh format: formats the C files in place.
set -euo pipefail
cd "$(dirname "$0")/.."

code=(agent http_parser exporters tests)
tidied=("${code[@]}")
failed=()

c_files() { find "${code[@]}" -name "$1" -type f | sort; }
shell_files() {
    find .ci deploy tests -name '*.sh' -type f | sort
    echo .ci/run
}

check() {
    local name=$1
    shift
    if "$@"; then
        printf 'lint: %-12s ok\n' "$name"
    else
        failed+=("$name")
    fi
}

check_format() { c_files '*.[ch]' | xargs clang-format --dry-run -Werror; }

# clang's own compile commands: gcc's have warnings that clang does not know.
commands_of_clang() {
    cmake --preset release-clang --log-level=WARNING >/dev/null
    cmake --build --preset release-clang --target exporters_proto agent_kube_proto >/dev/null
}

# A file that passed is not read again until it, a header or the rules change.
tidy_one() {
    local file=$1 common=$2 stamp
    stamp=build/lint/$({ echo "$common"; cat "$file"; } | sha256sum | cut -d' ' -f1)
    [ ! -e "$stamp" ] || return 0
    clang-tidy --quiet -p build/release-clang "$file" 2>build/lint/noise.$$ && touch "$stamp"
}
export -f tidy_one

check_tidy() {
    local common status=0
    mkdir -p build/lint
    common=$({ cat .clang-tidy tests/.clang-tidy; c_files '*.h' | xargs cat; clang-tidy --version; } | sha256sum)
    find "${tidied[@]}" -name '*.c' -type f | sort | xargs -P "$(nproc)" -I{} bash -c "tidy_one {} '$common'" || status=1
    rm -f build/lint/noise.*
    return $status
}

check_shell() { shell_files | xargs shellcheck; }

check_python() {
    find .ci deploy tests -name '*.py' -type f -print0 | xargs -0 python3 -c '
import sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        compile(file.read(), name, "exec")
'
}

check_house() {
    local status=0 name
    for name in includes shape headers; do
        python3 "tests/house/$name.py" . build/release-clang || status=1
    done
    python3 tests/house/test_house.py 2>build/lint/self || { cat build/lint/self; status=1; }
    return $status
}

export PYTHONDONTWRITEBYTECODE=1
if [ "${1:-}" = format ]; then
    c_files '*.[ch]' | xargs clang-format -i
    exit
fi
if [ "${1:-}" = short ]; then
    tidied=(agent http_parser exporters)
fi
check configure commands_of_clang
check format check_format
check clang-tidy check_tidy
check shellcheck check_shell
check python check_python
check house check_house
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'lint: failed: %s\n' "${failed[*]}" >&2
    exit 1
fi
