"""Shards in the settings: each DBC client has one, and what two of them could share is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbc_exporter import check_config
from dbc_exporter.clock import SystemClock
from dbc_exporter.config.load import Loaded, read
from dbc_exporter.config.problems import ConfigError
from dbc_exporter.engine import build_engine
from dbc_exporter.instruments import Instruments
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.sharding import ranked

CLIENTS = """clients:
  - {url: "http://127.0.0.1:1", shard: 0}
  - {url: "http://127.0.0.1:2", shard: 1}
  - {url: "http://127.0.0.1:3", shard: 1}
total_shards: 2
"""
NODES = [digit * 64 for digit in "0123456789abcdef"]


def loaded(tmp_path: Path, text: str, *arguments: str) -> Loaded:
    file = tmp_path / "dbc.yml"
    file.write_text(text)
    return read(["check-config", "--config.file", str(file), *arguments], {})


def refusals(tmp_path: Path, text: str, *arguments: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text, *arguments)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in refused.value.problems]


@pytest.mark.parametrize(("shard", "ports"), [("0", ["1"]), ("1", ["2", "3"])])
def test_one_file_serves_every_shard_with_clients_of_its_own(
    tmp_path: Path, shard: str, ports: list[str]
) -> None:
    settings = loaded(tmp_path, CLIENTS, "--shard", shard).settings
    assert [client.name for client in settings.own_clients] == [f"127.0.0.1:{port}" for port in ports]


async def test_an_exporter_asks_the_clients_of_its_shard_alone(tmp_path: Path) -> None:
    clock, own = SystemClock(), OwnMetrics(version="0", python="3")
    engine = build_engine(
        loaded(tmp_path, CLIENTS, "--shard", "1").settings,
        store=Store(clock),
        clock=clock,
        instruments=Instruments(own, clock),
        unanswered={},
    )
    assert list(engine.urls.values()) == ["http://127.0.0.1:2", "http://127.0.0.1:3"]
    assert [client.name for client in engine.clients] == list(engine.urls)
    await engine.stop()


def test_the_shard_may_come_from_flags_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text(CLIENTS.replace("total_shards: 2\n", ""))
    flags = ["--config.file", str(file), "--shard", "1", "--total-shards", "3"]
    for argv, env in (
        (flags, {}),
        (flags[:2], {"DBC_EXPORTER_SHARD": "1", "DBC_EXPORTER_TOTAL_SHARDS": "3"}),
    ):
        settings = read(argv, env).settings
        assert (settings.shard, settings.total_shards) == (1, 3)


def test_alone_an_exporter_asks_every_client(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "clients: [{url: 'http://a:1'}, {url: 'http://b:1'}]").settings
    assert settings.own_clients == settings.clients


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            CLIENTS.replace(", shard: 0", ""),
            "clients[0].shard: is missing; add it, since each DBC client belongs to one of the 2 shards (dbc.yml, line 2)",
        ),
        (
            CLIENTS.replace(":3", ":1"),
            "clients[2].url: is that of another client too; remove one of the two (dbc.yml, line 4)",
        ),
        (
            CLIENTS.replace("shard: 0", "shard: 2"),
            "clients[0].shard: is 2, but shards are numbered 0 to 1, by total_shards; correct one of the two (dbc.yml, line 2)",
        ),
        (CLIENTS + "shard: 2\n", "shard: is 2, but shards are numbered 0 to 1, by total_shards"),
        (
            CLIENTS.replace("total_shards: 2\n", ""),
            "clients[1].shard: is 1, but shards are numbered 0 to 0, by total_shards",
        ),
        (
            CLIENTS.replace("shard: 0", "shard: 1"),
            "clients: none is of shard 0; give it one that no other shard has (dbc.yml, line 1)",
        ),
        (CLIENTS + "total: 3", "total: is no known key"),
        (CLIENTS.replace("total_shards: 2", "total_shards: 101"), "total_shards: must be at most 100"),
        (
            f"{CLIENTS}targets: {{static: [{{id: {NODES[0]}, clients: ['127.0.0.1:1']}}]}}",
            "targets.static[0].clients: cannot be chosen: its shard has clients of its own; remove it (dbc.yml, line 6)",
        ),
        (
            f"{CLIENTS}targets: {{static: [{{id: {NODES[0]}, kind: bare_metal_server}}]}}",
            "targets.static[0].manager: is missing; add it, because a server belongs to the shard of its manager",
        ),
    ],
)
def test_what_cannot_be_shared_out_is_refused_with_the_remedy(tmp_path: Path, text: str, said: str) -> None:
    assert any(one.startswith(said) for one in refusals(tmp_path, text)), refusals(tmp_path, text)


def test_a_client_by_flag_has_no_shard(tmp_path: Path) -> None:
    assert refusals(tmp_path, "total_shards: 2", "--dbc.client", "http://a:1")[0].startswith(
        "clients[0].shard: is missing"
    )


def test_a_target_file_is_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "targets.yml").write_text(f"- {{id: {NODES[0]}, clients: ['127.0.0.1:1']}}\n")
    (said,) = refusals(tmp_path, CLIENTS + "targets: {files: [targets.yml]}")
    assert said == (
        "[0].clients: cannot be chosen: its shard has clients of its own; remove it (targets.yml, line 1)"
    )


def test_the_documented_settings_are_taken_by_each_shard(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "scaling.md"
    (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    own = [loaded(tmp_path, text, f"--shard={shard}").settings.own_clients for shard in range(3)]
    assert [len(clients) for clients in own] == [2, 1, 1]


def test_check_config_reckons_with_the_shard_and_its_clients(tmp_path: Path) -> None:
    static = "".join(f"    - id: {node}\n" for node in NODES)
    told = check_config.report(loaded(tmp_path, f"{CLIENTS}targets:\n  static:\n{static}", "--shard", "1"))
    mine = sum(ranked(node, 2)[0] == 1 for node in NODES)
    assert 0 < mine < len(NODES)
    assert "shard 1 of 2\nclient 127.0.0.1:2: http://127.0.0.1:2\nclient 127.0.0.1:3" in told
    assert "client 127.0.0.1:1" not in told
    assert f"of 16 targets {mine} belong to shard 1" in told
    (node,) = (line.split() for line in told.splitlines() if line.startswith("node "))
    assert node[1] == str(mine)


def test_remediation_in_shards_is_said_to_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "policy.yml").write_text("version: 1\nmode: act\n")
    more = "storage: {path: state}\nremediation: {policy_file: policy.yml}\n"
    assert any(
        "several shards cannot keep one budget" in one for one in loaded(tmp_path, CLIENTS + more).warnings
    )
    alone = loaded(tmp_path, "clients: [{url: 'http://a:1'}]\n" + more)
    assert not any("shards" in one for one in alone.warnings)
