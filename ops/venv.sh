#!/bin/sh
# Makes a virtual environment on Python 3.13, the version that the functions run on in Lambda.
# usage: ops/venv.sh DIRECTORY REQUIREMENTS_FILE
set -eu
directory=$1
requirements=$2

is_313() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; }

say() { printf '%s\n' "$*" >&2; }

found() {
    for python in "${PYTHON:-}" python3.13 python3 python; do
        if [ -n "$python" ] && is_313 "$python"; then
            command -v "$python"
            return
        fi
    done
    return 1
}

# uv is one binary from PyPI that can bring a Python where the system has none.
fetched() {
    tools=$(dirname "$directory")/.uv
    python3 -m venv "$tools" >/dev/null && "$tools/bin/pip" install --quiet uv==0.13.8 &&
        "$tools/bin/uv" python install --quiet 3.13 && "$tools/bin/uv" python find 3.13
}

if ! is_313 "$directory/bin/python"; then
    if ! python=$(found); then
        say "No Python 3.13 here; fetching one with uv ..."
        if ! python=$(fetched); then
            say "Tracklane needs Python 3.13 with its venv module, because that is what its functions run on in Lambda."
            say "Install it (Debian 13: apt-get install python3-venv; else uv, pyenv or your system's packages),"
            say "or name one: make PYTHON=/path/to/python3.13 ..."
            exit 1
        fi
    fi
    rm -rf "$directory"
    if ! "$python" -m venv "$directory"; then
        rm -rf "$directory"
        say "$python can not make virtual environments. On Debian: apt-get install python3-venv"
        exit 1
    fi
fi
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
