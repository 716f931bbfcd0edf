#!/bin/sh
# Install the real parts that tests run against, where this may be done (Debian or Ubuntu, as root). Elsewhere the
# tests that need them are skipped and say so.
set -eu
missing=
command -v promtool >/dev/null || missing="$missing prometheus"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "==> not installing$missing (needs root on Debian or Ubuntu); its tests will be skipped"
    exit 0
fi
echo "==> installing$missing"
# the package must not start a server of its own
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
    echo "==> could not install$missing; its tests will be skipped"
