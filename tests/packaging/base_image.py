"""A base image for builds without a registry: this machine's own Debian Python, packed file by file.

It stands in for the image that the Dockerfile pins by digest. Its Python is Debian's (3.11 on Debian 12), so what a
build on it shows is that the Dockerfile works, not that its wheels run on the pinned Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOTS = ("python3", "python3-venv", "dash", "coreutils", "base-files")
FOLDERS = ("tmp", "proc", "sys", "dev", "run", "root", "etc", "var/tmp")
ALIASES = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def missing() -> str | None:
    """Return why no such image can be made here, or None."""
    if shutil.which("dpkg-query") is None:
        return "the stand-in base is made of installed Debian packages, and this is no Debian"
    absent = [package for package in ROOTS if "installed" not in _known(package)]
    if absent:
        return f"the stand-in base is made of Debian packages that are not installed: {', '.join(absent)}"
    return None if Path("/bin").is_symlink() else "the system's /bin is no link to /usr/bin"


def pack(archive: Path) -> None:
    """Write the root file system of the base image to a tar archive."""
    names = sorted({_real(name) for package in _closure() for name in _files(package)})
    with tarfile.open(archive, "w") as tar:
        for folder in FOLDERS:
            _add_folder(tar, folder)
        for name, aim in ALIASES.items():
            _add_link(tar, name, aim)
        for name in names:
            path = Path(name)
            if name.strip("/") not in FOLDERS and (path.is_symlink() or path.exists()):
                tar.add(name, arcname=name.lstrip("/"), recursive=False)
        _add_link(tar, "usr/bin/sh", "dash")


def _closure() -> set[str]:
    found: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        package = waiting.pop()
        if not package or package in found:
            continue
        known = _known(package)
        if known.get("installed") is None:
            continue  # one of several alternatives, or a virtual package
        found.add(package)
        for clause in known["installed"].split(","):
            waiting.extend(part.split("(")[0].split(":")[0].strip() for part in clause.split("|"))
    return found


def _known(package: str) -> dict[str, str]:
    """Return what a package depends on, by the package's status."""
    try:
        said = _query("-W", "-f=${db:Status-Status}\t${Pre-Depends}, ${Depends}\n", package)
    except subprocess.CalledProcessError:
        return {}
    return dict(line.split("\t", 1) for line in said.splitlines())


def _files(package: str) -> list[str]:
    return [line for line in _query("-L", package).splitlines() if line.startswith("/") and line != "/."]


def _real(name: str) -> str:
    """Return the name with its folder's links followed, but not its own."""
    return str(Path(os.path.realpath(Path(name).parent)) / Path(name).name)


def _query(*arguments: str) -> str:
    return subprocess.run(["dpkg-query", *arguments], check=True, capture_output=True, text=True).stdout


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
    tar.addfile(entry)


def _add_link(tar: tarfile.TarFile, name: str, aim: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, aim
    tar.addfile(entry)
