"""The files that the chart mounts are a configuration that the exporter takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dbc_exporter.config.load import Loaded, read
from tests.helm.kubelet import mounted
from tests.helm.rendering import CASES, case, render

ENV = {"TEAM_SESSION_ID": "3QRjS1", "TEAM_SESSION_SIGN": "ab" * 64}


def load(values: Path, root: Path) -> Loaded:
    return read(["--config.file", str(mounted(render(case(values)), root))], ENV)


@pytest.mark.parametrize("values", CASES, ids=[path.stem for path in CASES])
def test_the_exporter_takes_it_without_a_warning(values: Path, tmp_path: Path) -> None:
    loaded = load(values, tmp_path)
    assert loaded.warnings == ()
    assert [client.url for client in loaded.settings.clients] == [
        client["url"] for client in case(values)["config"]["clients"]
    ]


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_each_shard_has_the_clients_that_are_its_own(shard: int, tmp_path: Path) -> None:
    (values,) = (path for path in CASES if path.name == "sharded-values.yaml")
    rendered = render(case(values))
    (name,) = (one["name"] for one in rendered.container["env"])
    settings = read(["--config.file", str(mounted(rendered, tmp_path))], {name: str(shard)}).settings
    assert (settings.shard, settings.total_shards) == (shard, 3)
    assert [client.url for client in settings.own_clients] == [
        client["url"] for client in case(values)["config"]["clients"] if client["shard"] == shard
    ]


def test_numbers_texts_and_durations_arrive_as_they_were_written(tmp_path: Path) -> None:
    (values,) = (path for path in CASES if path.name == "renter-values.yaml")
    loaded = load(values, tmp_path)
    assert loaded.settings.series_budget.per_family == 2_000_000
    assert loaded.settings.collectors.node.interval_seconds == 120
    assert loaded.settings.collectors.lan.enabled is False
    assert [target.rent_order for target in loaded.targets] == ["0101", None, None]
    assert [dict(target.labels) for target in loaded.targets] == [
        {"site": "frankfurt"},
        {},
        {"site": "berlin"},
    ]


def test_the_port_that_is_opened_is_the_port_that_is_listened_on(tmp_path: Path) -> None:
    (values,) = (path for path in CASES if path.name == "everything-values.yaml")
    rendered = render(case(values))
    (port,) = rendered.container["ports"]
    settings = yaml.safe_load(mounted(rendered, tmp_path).read_text())
    assert settings["web"]["listen_address"] == f":{port['containerPort']}" == ":9177"
    assert rendered.one("Service")["spec"]["ports"][0]["targetPort"] == port["name"]


def test_remediation_finds_its_files(tmp_path: Path) -> None:
    (values,) = (path for path in CASES if path.name == "remediation-values.yaml")
    remediation = load(values, tmp_path).settings.remediation
    assert remediation.policy_file is not None
    assert remediation.policy_file.is_file()
    assert remediation.webhook_token_file is not None
    assert remediation.webhook_token_file.is_file()
    assert remediation.kill_file is not None
    assert remediation.kill_file.parent.is_dir()
    assert not remediation.kill_file.exists()
