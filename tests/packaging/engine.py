"""buildah and podman on a store of their own, as far as they work on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

PROGRAMS = ("buildah", "podman", "runc")
_RUNTIME = "--runtime=runc"  # crun, the other one, does not work with both versions of cgroups at once
# without limits of our own, podman asks for more than a container's root may have
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")


def missing() -> str | None:
    """Return why no image can be built and run here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian packages)"
    return None if os.geteuid() == 0 else "only root's builds are tried"


class EngineError(Exception):
    """A command of the engine failed; the text is what it said."""


class Engine:
    """One store of images and containers in a directory."""

    def __init__(self, directory: Path) -> None:
        self._mounted = directory / "root" / "overlay"
        self._store = [
            f"--root={directory / 'root'}",
            f"--runroot={directory / 'run'}",
            "--storage-driver=vfs",
        ]

    def close(self) -> None:
        """Let go of the store, so that its folder can be removed."""
        if self._mounted.is_mount():
            _run(["umount", str(self._mounted)])

    def build(self, tag: str, context: Path, *options: str) -> None:
        """Build a folder's Dockerfile without network. Raises EngineError."""
        command = ["buildah", *self._store, "bud", "-q", "--format=docker", _RUNTIME]
        _run([*command, "--network=none", *options, f"--tag={tag}", str(context)])

    def running(self, name: str, *arguments: str) -> list[str]:
        """Return the command line that runs a container in the foreground and removes it afterwards."""
        return self._podman("run", "--rm", f"--name={name}", *_LIMITS, "--no-healthcheck", *arguments)

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a running container and return what it printed. Raises EngineError."""
        return _run(self._podman("exec", name, *command))

    def signal(self, name: str, signal: str) -> None:
        """Send a signal to a container's first process. Raises EngineError."""
        _run(self._podman("kill", f"--signal={signal}", name))

    def image(self, tag: str) -> dict[str, Any]:
        """Return what the engine knows of an image. Raises EngineError."""
        found: dict[str, Any] = json.loads(_run(self._podman("image", "inspect", tag)))[0]
        return found

    def _podman(self, *arguments: str) -> list[str]:
        return ["podman", *self._store, _RUNTIME, "--cgroup-manager=cgroupfs", *arguments]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout
