"""Reading a scenario file, with errors that name the key, the value and the remedy."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dbc_exporter.simulator import faults
from dbc_exporter.simulator.scenario import FaultEntry, Scenario, did_you_mean

OWN_ERRORS = frozenset({"unknown_key", "bad_value", "version", "two_measures"})
"""Kinds of error whose text already names the value."""


class ScenarioError(ValueError):
    """A scenario cannot be used; the text says where and why, one problem a line."""


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_scenario(path: Path) -> Scenario:
    """Read and validate a scenario file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, source: str = "scenario") -> Scenario:
    """Validate a scenario's YAML text; `source` names it in errors. Raises ScenarioError."""
    try:
        data = yaml.load(text, _StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ScenarioError(f"{source}: a scenario is a mapping that begins with `version: 1`")
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{source}: {problem}" for problem in describe(error))) from error
    problems = [f"{source}: {problem}" for problem in _cross_check(scenario)]
    if problems:
        raise ScenarioError("\n".join(problems))
    return scenario


def describe(error: ValidationError) -> list[str]:
    """Return the problems of a validation, one line each: `key: value: what is wrong`."""
    return [_problem(item) for item in error.errors()]


def _problem(error: Any) -> str:
    where = ""
    for step in error["loc"]:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    text = str(error["msg"])
    if error["type"] == "missing":
        text = "this key is missing"
    elif error["type"] not in OWN_ERRORS:
        text = f"{error['input']!r}: {text[0].lower()}{text[1:]}"
    return f"{where}: {text}" if where else text


def _cross_check(scenario: Scenario) -> list[str]:
    """Return what is wrong between the sections."""
    problems = []
    wallets = {wallet.name for wallet in scenario.wallets}
    groups = [(f"compute[{index}]", group.rented_by) for index, group in enumerate(scenario.compute)] + [
        (f"managers[{index}].servers[{place}]", servers.rented_by)
        for index, manager in enumerate(scenario.managers)
        for place, servers in enumerate(manager.servers)
    ]
    for where, rental in groups:
        if rental is not None and rental.wallet not in wallets:
            hint = did_you_mean(rental.wallet, wallets)
            problems.append(f"{where}.rented_by.wallet: no wallet is named {rental.wallet!r}; {hint}")
    centres = {server.name for server in scenario.image_servers}
    for index, transfer in enumerate(scenario.transfers):
        if transfer.server not in centres:
            hint = did_you_mean(transfer.server, centres) if centres else "add it under image_servers"
            problems.append(
                f"transfers[{index}].server: no image centre is named {transfer.server!r}; {hint}"
            )
    names = [client.name for client in scenario.clients]
    problems += [
        f"clients: the name {name!r} is given twice"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    for index, entry in enumerate(scenario.faults):
        problems += [f"faults[{index}].{problem}" for problem in line_problems(scenario, entry)]
    return problems


def line_problems(scenario: Scenario, entry: FaultEntry) -> list[str]:
    """Return what is wrong with a line of this scenario's timeline, `key: what and the remedy`."""
    found = faults.problems(entry)
    if not found and entry.fault == "join_nodes":
        group, groups = int(entry.parameters.get("group", 0)), len(scenario.compute)
        if not 0 <= group < groups:
            found.append(f"group: {group}: the scenario has {groups} groups under compute, counted from 0")
    return found
