#!/bin/sh
# Install the real parts that tests run against, where this may be done (Debian or Ubuntu, as root). Elsewhere the
# tests that need them are skipped and say so.
set -eu
missing=
for package in prometheus prometheus-alertmanager prometheus-blackbox-exporter; do
    command -v "$package" >/dev/null || missing="$missing $package" # each package has a program of its own name
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "==> not installing$missing (needs root on Debian or Ubuntu); its tests will be skipped"
    exit 0
fi
echo "==> installing$missing"
# the packages must not start servers of their own
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
    echo "==> could not install$missing; its tests will be skipped"
