#!/bin/sh
# Install the real parts that tests run against, where this may be done (Debian or Ubuntu, as root). Elsewhere the
# tests that need them are skipped and say so.
set -eu
PATH=$PATH:/usr/sbin
missing=
while read -r package file; do
    command -v "$file" >/dev/null || [ -e "$file" ] || missing="$missing $package"
done <<END
prometheus promtool
prometheus-alertmanager amtool
prometheus-blackbox-exporter prometheus-blackbox-exporter
chromium chromium
runc runc
buildah buildah
podman podman
python3-venv /usr/share/doc/python3-venv
docker-compose docker-compose
systemd systemd-analyze
END
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
apt-get update -q || true
for package in $missing; do # one by one: what a release lacks costs its own tests only
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" ||
        echo "==> could not install $package; its tests will be skipped"
done
