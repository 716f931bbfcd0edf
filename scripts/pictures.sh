#!/bin/sh
# Remake the pictures in docs/pictures from the demonstration. Needs Chromium (Debian: apt-get install chromium).
set -eu
cd "$(dirname "$0")/.."
port=${PORT:-10377}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
mkdir -p docs/pictures
.venv/bin/python -m dbc_exporter demo --web.listen-address="127.0.0.1:$port" >/dev/null 2>&1 &
demo=$!
trap 'kill "$demo"' EXIT
# the dead BMC and the first round of the simulated manager take a while; then everything has been read
tries=0
until curl -fs "http://127.0.0.1:$port/metrics" | grep -q '^dbc_bare_metal_power_state'; do
    tries=$((tries + 1))
    [ "$tries" -lt 90 ] || { echo "the demonstration shows no power state" >&2; exit 1; }
    sleep 1
done
shoot() {
    profile=$(mktemp -d)
    "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" \
        --screenshot="$PWD/docs/pictures/$1.png" --window-size="$3" "http://127.0.0.1:$port$2" >/dev/null 2>&1
    rm -rf "$profile"
}
shoot overview / 1280,760
shoot targets /targets 1280,900
