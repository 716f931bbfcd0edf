"""Prometheus' own linter finds nothing to say about the exposition of a full fleet."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dbc_exporter.metrics.exposition import Exposition
from tests.unit.metrics.fleet import FakeClock, full_own, full_store

PROMTOOL = shutil.which("promtool")


@pytest.mark.real
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)")
def test_promtool_has_no_complaint() -> None:
    reply = Exposition(full_store(FakeClock()), full_own()).reply({}, {})
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=reply.body, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
