#!/bin/sh
# Makes .venv with the pinned dependencies: `tools/setup.sh runtime` or `tools/setup.sh dev`.
# Wheels only, checked by hash; where they come from is the machine's own pip configuration.
set -eu

set_name=${1:-runtime}
venv=${VENV:-.venv}
cd "$(dirname "$0")/.."

say() { printf '%s\n' "setup: $*"; }
give_up() { printf '%s\n' "setup: $*" >&2; exit 1; }

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Debian ships the interpreter without ensurepip; one that has it is preferred.
find_python() {
    fallback=
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name" 2>/dev/null) || continue
        recent "$path" || continue
        if can_make_venv "$path"; then
            printf '%s\n' "$path"
            return
        fi
        fallback=${fallback:-$path}
    done
    printf '%s\n' "$fallback"
}

install_venv_support() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        give_up "$1 cannot make virtual environments. Install: python3-venv (or python$version-venv)"
    fi
    say "installing python3-venv with apt-get"
    apt-get update -qq
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "python$version-venv" >/dev/null ||
        apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    can_make_venv "$1" || give_up "$1 still has no ensurepip; install python$version-venv"
}

python=$(find_python)
[ -n "$python" ] || give_up "needs Python 3.11 or newer on PATH (or PYTHON=/path/to/python3 make ...)"

if ! [ -x "$venv/bin/python" ] || ! recent "$venv/bin/python"; then
    can_make_venv "$python" || install_venv_support "$python"
    say "$venv with $("$python" -V)"
    "$python" -m venv --clear "$venv"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

say "dependencies of requirements/$set_name.txt (a few minutes on a slow line)"
pip install --quiet --require-hashes --only-binary :all: \
    -r requirements/build.txt -r "requirements/$set_name.txt"
say "tollbridge itself, editable"
pip install --quiet --no-deps --no-build-isolation --editable .
touch "$venv/.$set_name"
say "done"
