"""An exporter started as the pod would start it answers what the pod's probes and its ServiceMonitor ask."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.e2e.processes import Answer, Served, free_port
from tests.helm.kubelet import SECRETS, arguments, mounted
from tests.helm.rendering import ROOT, Rendered, render

PROGRAM = [sys.executable, "-m", "dbc_exporter"]


def pod(**values: Any) -> Rendered:
    """Render an exporter whose DBC client refuses connections: that must not look like ill health."""
    nobody = {
        "clients": [{"url": f"http://127.0.0.1:{free_port()}"}],
        "web": {"telemetry_path": "/dbc/metrics"},
    }
    return render({"config": nobody, "containerPort": free_port(), **values})


def served(rendered: Rendered, root: Path) -> Served:
    mounted(rendered, root)
    (port,) = rendered.container["ports"]
    return Served([*PROGRAM, *arguments(rendered, root)], port["containerPort"], root)


def test_probes_and_scrapes_are_answered_while_dbc_is_down(tmp_path: Path) -> None:
    rendered = pod(serviceMonitor={"enabled": True})
    (endpoint,) = rendered.one("ServiceMonitor")["spec"]["endpoints"]
    paths = [rendered.container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    with served(rendered, tmp_path) as exporter:
        for path in [*paths, endpoint["path"]]:
            answer = exporter.wait(partial(_well, exporter, path), f"{path} answers 200")
            assert answer.body


def _well(exporter: Served, path: str) -> Answer | None:
    answer = exporter.get(path)
    return answer if answer.status == 200 else None


def test_the_healthcheck_of_a_pod_with_users_needs_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    monkeypatch.setitem(SECRETS, "web-config.yml", json.dumps({"basic_auth_users": {"prometheus": hashed}}))
    rendered = pod(webConfig={"existingSecret": "web"})
    command = rendered.container["livenessProbe"]["exec"]["command"]
    with served(rendered, tmp_path) as exporter:
        (config,) = arguments(rendered, tmp_path)
        assert command[-1].endswith("/etc/dbc-exporter/config/settings.yml")
        check = [*PROGRAM, *command[1:-1], config]
        exporter.wait(
            lambda: subprocess.run(check, check=False).returncode == 0 or None, "the health check is happy"
        )
        assert exporter.get("/-/healthy").status == 401


def test_the_probes_program_is_the_images() -> None:
    dockerfile = ROOT / "Dockerfile"
    if not dockerfile.is_file():
        pytest.skip("there is no Dockerfile")
    (entrypoint,) = (line for line in dockerfile.read_text().splitlines() if line.startswith("ENTRYPOINT "))
    program = render({"webConfig": {"existingSecret": "web"}}).container["livenessProbe"]["exec"]["command"][
        :1
    ]
    assert json.loads(entrypoint.removeprefix("ENTRYPOINT ")) == program
