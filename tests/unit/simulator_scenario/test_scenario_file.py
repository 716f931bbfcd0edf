from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from dbc_exporter.simulator.faults import FAULTS
from dbc_exporter.simulator.scenario import Scenario, Section
from dbc_exporter.simulator.scenario_file import ScenarioError, load_scenario, parse_scenario

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "scenario.yml"


def refusal(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yml")
    return str(caught.value)


def test_the_smallest_scenario_has_one_client_and_one_wallet() -> None:
    scenario = parse_scenario("version: 1")
    assert [client.name for client in scenario.clients] == ["client"]
    assert [wallet.name for wallet in scenario.wallets] == ["renter"]
    assert scenario.compute == []


def test_durations_sizes_and_shares_are_read_in_their_units() -> None:
    scenario = parse_scenario(
        "version: 1\n"
        "latency: {public: 30ms, authenticated: [2s, 1m30s], images: 1.5}\n"
        "compute: [{memory: 1.5G, cpu_usage: 30%, disks: [{size: 2T, free: 512}]}]\n"
    )
    latency = scenario.latency
    assert latency.authenticated == (2.0, 90.0)
    assert (latency.public, latency.images) == (0.03, 1.5)
    [group] = scenario.compute
    assert (group.memory, group.cpu_usage) == (1.5 * 2**30, 0.3)
    assert (group.disks[0].size, group.disks[0].free) == (2 * 2**40, 512)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1", "s.yml: version: this key is missing"),
        ("version: 2", "s.yml: version: 2 is no version this program knows: write version: 1"),
        ("version: 1\ncompte: []", "s.yml: unknown key 'compte'; did you mean 'compute'?"),
        ("version: 1\ncompute: [{gpu: 8}]", "s.yml: compute[0]: unknown key 'gpu'; did you mean 'gpus'?"),
        (
            "version: 1\nlatency: {public: fast}",
            "s.yml: latency.public: 'fast' is not a duration: write 500ms, 90s, 10m, 1h30m, or a number of seconds",
        ),
        (
            "version: 1\nlatency: {authenticated: [8s, 2s]}",
            "s.yml: latency.authenticated: ['8s', '2s'] is not a range of durations: put the shorter one first",
        ),
        (
            "version: 1\ncompute: [{memory: lots}]",
            "s.yml: compute[0].memory: 'lots' is not a size: write 512M, 9.5G or 2T (powers of 1024), or a number of bytes",
        ),
        (
            "version: 1\nfaults: [{fault: kill_nodes, percent: 130}]",
            "s.yml: faults[0].percent: 130 is not a percentage: write a number from 0 to 100, such as 30 or 30%",
        ),
        (
            "version: 1\ncompute: [{rented_by: {wallet: rentr}}]",
            "s.yml: compute[0].rented_by.wallet: no wallet is named 'rentr'; did you mean 'renter'?",
        ),
        (
            "version: 1\ntransfers: [{node: gpu-1, image: x}]",
            "s.yml: transfers[0].server: no image centre is named 'local01'; add it under image_servers",
        ),
        (
            "version: 1\nclients: [{name: a}, {name: a}]",
            "s.yml: clients: the name 'a' is given twice",
        ),
        (
            "version: 1\nfaults: [{fault: kill_node, all: true}]",
            "s.yml: faults[0].fault: unknown fault 'kill_node'; did you mean 'kill_nodes'?",
        ),
        (
            "version: 1\nfaults: [{fault: kill_nodes}]",
            (
                "s.yml: faults[0].fault: kill_nodes selects no nodes; "
                "give count, percent, ids, names or labels, or all: true"
            ),
        ),
        (
            "version: 1\nfaults: [{fault: kill_nodes, count: 1, percent: 5}]",
            "s.yml: faults[0]: give either count or percent, not both",
        ),
        (
            "version: 1\nfaults: [{fault: restart_nodes, all: true, for: 5m}]",
            "s.yml: faults[0].for: restart_nodes does not recover by itself; remove `for`",
        ),
        (
            "version: 1\nfaults: [{fault: chain_outage, all: true}]",
            (
                "s.yml: faults[0].fault: chain_outage hits the whole network; "
                "remove all, count, percent, ids, names and labels"
            ),
        ),
        (
            "version: 1\nfaults: [{fault: slow_clients, all: true, dealy: 3s}]",
            "s.yml: faults[0].dealy: slow_clients knows no such key; did you mean 'delay'?",
        ),
        (
            "version: 1\nfaults: [{fault: slow_clients, all: true, delay: slow}]",
            (
                "s.yml: faults[0].delay: 'slow' is not a duration: "
                "write 500ms, 90s, 10m, 1h30m, or a number of seconds"
            ),
        ),
        ("version: 1\ntime_factor: 0", "s.yml: time_factor: 0: input should be greater than 0"),
        ("- version: 1", "s.yml: a scenario is a mapping that begins with `version: 1`"),
    ],
)
def test_an_error_names_the_key_the_value_and_the_remedy(text: str, said: str) -> None:
    assert refusal(text) == said


def test_all_problems_are_told_at_once() -> None:
    text = "version: 1\nsed: 1\ntime_factor: -1"
    assert refusal("version: 1\ncompute: [{gpus: x}, {count: -1}]").count("\n") == 1
    assert "unknown key 'sed'" in refusal(text)


def test_a_key_given_twice_is_refused_with_its_line() -> None:
    assert "the key 'seed' is given twice" in refusal("version: 1\nseed: 1\nseed: 2")
    assert "line 3" in refusal("version: 1\nseed: 1\nseed: 2")


def test_a_file_that_is_no_yaml_or_not_there_is_refused_by_name(tmp_path: Path) -> None:
    assert refusal("version: [").startswith("s.yml: no valid YAML: ")
    with pytest.raises(ScenarioError, match=r"nowhere\.yml: cannot be read"):
        load_scenario(tmp_path / "nowhere.yml")


def test_a_wallets_seed_never_shows_in_a_repr() -> None:
    seed = "ab" * 32
    scenario = parse_scenario(f"version: 1\nwallets: [{{name: renter, seed: '{seed}'}}]")
    assert seed not in repr(scenario)


def test_the_example_in_the_documentation_is_valid() -> None:
    assert isinstance(load_scenario(EXAMPLE), Scenario)


def test_the_documentation_names_every_key_and_every_fault() -> None:
    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    keys = {
        field.alias or name for section in _sections(Scenario) for name, field in section.model_fields.items()
    }
    parameters = {
        field.alias or name
        for kind in FAULTS.values()
        for name, field in kind.parameters.model_fields.items()
    }
    missing = [key for key in sorted(keys | parameters | set(FAULTS)) if f"`{key}`" not in text]
    assert missing == []


def test_every_fault_says_in_the_documentation_what_it_says_in_the_program() -> None:
    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    assert [kind.name for kind in FAULTS.values() if kind.help not in text] == []


def _sections(section: type[Section]) -> list[type[Section]]:
    found = [section]
    for field in section.model_fields.values():
        for part in [field.annotation, *get_args(field.annotation)]:
            if isinstance(part, type) and issubclass(part, Section):
                found += _sections(part)
    return found
