"""The recipe of docs/install.md, run as written, in mounts that only the test sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
_NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
UNIT = "/etc/systemd/system/dbc-exporter.service"
# /etc and /usr/lib as they are, with what the recipe writes in memory; empty folders where it installs
_MOUNTS = """\
mount -t tmpfs tmpfs "$1"
for folder in /etc /usr/lib; do
    mkdir -p "$1$folder/upper" "$1$folder/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$1$folder/upper,workdir=$1$folder/work" "$folder"
done
mount -t tmpfs -o mode=0755 tmpfs /opt
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mkdir "$1/bin"
"""
# what is no part of the recipe's effect here: already root, nothing to fetch, no systemd that runs
_SHAMS = """\
printf '#!/bin/sh\\nexec "$@"\\n' >"$1/bin/sudo"
printf '#!/bin/sh\\necho "sham: $0 $*"\\n' >"$1/bin/apt-get"
cp "$1/bin/apt-get" "$1/bin/systemctl"
chmod 0755 "$1"/bin/*
export PATH="$1/bin:/usr/sbin:/usr/bin:/sbin:/bin" PIP_NO_INDEX=1 PIP_FIND_LINKS="$2" PIP_CACHE_DIR="$1/cache"
"""


def missing() -> str | None:
    """Return why the recipe cannot be tried here, or None."""
    if os.geteuid() != 0:
        return "needs root, as the recipe does"
    absent = [name for name in ("unshare", "systemd-sysusers") if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    probe = "set -e; mkdir -p /run/dbc-probe; " + _MOUNTS.replace("$1", "/run/dbc-probe")
    done = subprocess.run([*_NAMESPACE, "sh", "-c", probe], capture_output=True, text=True, check=False)
    return f"no private mounts on this machine: {done.stderr.strip()}" if done.returncode else None


def block(heading: str) -> str:
    """Return the first block of commands under a heading of the page."""
    found = re.search(rf"^#+ {re.escape(heading)}$.*?^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def command(blocks: list[str], last: str, scratch: Path, wheels: Path) -> list[str]:
    """Return a command line that runs blocks of the page in private mounts and then becomes `last`."""
    script = "\n".join(["set -e", _MOUNTS, _SHAMS, f"cd {ROOT}", *blocks, f"exec {last}"])
    return [*_NAMESPACE, "sh", "-c", script, "recipe", str(scratch), str(wheels)]
