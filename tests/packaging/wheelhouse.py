"""Everything that a build or an installation fetches, in a folder, so that it then works without the registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path("/usr/bin/python3")
PINNED = ("run", "build")


def fill(folder: Path) -> None:
    """Download what requirements/ pins, by hash, for the system's Python; skip the test where there is no registry."""
    told = subprocess.run([PYTHON, "-V"], capture_output=True, text=True, check=True).stdout
    version = told.split()[1].rpartition(".")[0]
    for name in PINNED:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", version]
        command += ["-r", str(ROOT / "requirements" / f"{name}.txt"), "-d", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the package registry does not answer: {done.stderr.strip().splitlines()[-1]}")
