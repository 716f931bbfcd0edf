"""The unit's system call filter as a container's seccomp profile, so that a container shows whether it is too strict."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.packaging.unit import Unit

_ALLOW, _DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def profile(unit: Unit) -> dict[str, Any]:
    """Return an OCI seccomp profile that allows what the unit's SystemCallFilter= allows."""
    allowed: set[str] = set()
    for line in unit.values("Service", "SystemCallFilter"):
        calls = {call for name in line.removeprefix("~").split() for call in _calls(name)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return {
        "defaultAction": _DENY,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": sorted(allowed), "action": _ALLOW}],
    }


def _calls(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    words = {line.strip() for line in told.splitlines()[1:] if line.startswith("    ")}
    return {call for word in words if not word.startswith("#") for call in _calls(word)}
