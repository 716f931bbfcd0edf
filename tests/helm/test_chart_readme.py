"""What the chart's README shows works."""

from __future__ import annotations

import re
from typing import Any

import helm_python
import pytest

from tests.helm.rendering import CHART, render

README = (CHART / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS, ids=[block.split(":", 1)[0] for block in BLOCKS])
def test_each_example_of_values_renders(text: str) -> None:
    values: dict[str, Any] = helm_python.values_from_yaml(text)
    assert values
    assert render(values).manifests != render().manifests


def test_the_command_to_install_has_all_it_takes() -> None:
    values: dict[str, Any] = {}
    for setting in re.findall(r"--set '?([^\s']+)'?", README):
        part = helm_python.parse_set_string(setting)
        values |= part
    assert set(values) == {"image", "config"}
    assert render(values, name="dbc").one("Deployment")["metadata"]["name"] == "dbc-dbc-exporter"


def test_the_refusals_it_quotes_are_helms_words() -> None:
    with pytest.raises(helm_python.HelmValuesError) as caught:
        render({"config": {"credentials": {"me": {"type": "wallet", "seed": "5e"}}}, "replicaCount": 2})
    quoted = [line for line in README.splitlines() if line.startswith("- at '/")]
    assert len(quoted) == 2
    for line in quoted:
        assert line in str(caught.value).replace("  - at", "- at")


def test_the_kill_switch_it_names_is_the_one_that_is_mounted() -> None:
    policy = {"remediation": {"policy": {"version": 1}}, "persistence": {"enabled": True}}
    volumes = {one["name"]: one for one in render(policy, name="dbc").pod["volumes"]}
    assert f"create configmap {volumes['kill']['configMap']['name']} --from-literal=kill=" in README
