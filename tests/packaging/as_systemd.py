"""Start what a unit file says, as systemd would: its user, environment, folders, limits and what it takes away.

The system call filter and the name spaces of the unit are not in here: the first is tried on a container.
"""

import ctypes
import grp
import os
import pwd
import resource
import shlex
import sys
from pathlib import Path

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 38, 65


def prctl(*arguments: int) -> bool:
    """Call prctl(2); tell whether it did as told."""
    call = ctypes.CDLL(None).prctl
    return bool(call(*[ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)[:5]]) == 0)


def assignments(lines: list[str]) -> dict[str, str]:
    """Read NAME=value lines."""
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def main(path: Path) -> None:
    """Become the service."""
    lines = [line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line]
    unit = {key: value for key, value in lines if not key.startswith("#")}
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    for key, value in lines:
        if key == "Environment":
            env |= assignments([value])
        elif key == "EnvironmentFile" and Path(value.lstrip("-")).is_file():
            env |= assignments(Path(value.lstrip("-")).read_text(encoding="utf-8").splitlines())
    env |= assignments(sys.argv[2:])
    user, group = pwd.getpwnam(unit["User"]), grp.getgrnam(unit["Group"])
    state = Path("/var/lib") / unit["StateDirectory"]
    state.mkdir(mode=int(unit["StateDirectoryMode"], 8))
    os.chown(state, user.pw_uid, group.gr_gid)
    os.umask(int(unit["UMask"], 8))
    resource.setrlimit(resource.RLIMIT_CORE, (int(unit["LimitCORE"]),) * 2)
    if unit["CapabilityBoundingSet"] == "":
        for capability in range(64):
            prctl(PR_CAPBSET_DROP, capability)
    os.setgroups([])
    os.setresgid(group.gr_gid, group.gr_gid, group.gr_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if unit["NoNewPrivileges"] == "yes":
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    if unit["MemoryDenyWriteExecute"] == "yes":
        prctl(PR_SET_MDWE, 1)  # kernels before 6.3 do not know it
    command = shlex.split(unit["ExecStart"])
    os.chdir("/")
    os.execve(command[0], command, env)  # noqa: S606 (as systemd does)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
