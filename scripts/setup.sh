#!/bin/sh
# Make .venv and install what a requirements file pins, by hash. Usage: scripts/setup.sh run|dev
set -eu
cd "$(dirname "$0")/.."
what=$1
python=${PYTHON:-python3}
stamp=.venv/.installed-$what
sum=$(cat "requirements/$what.txt" | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
    exit 0
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "dbc-exporter needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Set PYTHON=/path/to/python3" >&2
    exit 1
fi
if [ ! -x .venv/bin/pip ]; then
    echo "==> making .venv with $("$python" -V)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "==> installing Debian's python3-venv"
            apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv
        else
            echo "this Python has no ensurepip: install your system's python3-venv package" >&2
            exit 1
        fi
    fi
    "$python" -m venv .venv
fi
echo "==> installing requirements/$what.txt"
.venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps -r "requirements/$what.txt"
printf '%s' "$sum" >"$stamp"
