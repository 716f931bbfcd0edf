"""Rules and dashboards arrive as they are: no brace of theirs is read as a template of Helm's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from monitoring.__main__ import main as monitoring
from monitoring.thresholds import HOLDS, VALUES
from tests.helm.rendering import CHART, ROOT, Manifest, render, with_files

RULES = r"""# a comment with {{ braces }}
groups:
  - name: dbc-odd
    interval: 30s
    limit: 10
    rules:
      - record: dbc:nodes:count
        expr: count(dbc_node_up)
      - alert: DbcOdd
        expr: |
          dbc_node_up{name!~"a\\.b|`c`"} == 0
            and on (node_id) dbc_target_info{site="x{{y}}"}
        for: 5m
        keep_firing_for: 1h
        labels: {severity: page}
        annotations:
          summary: 'quotes "both" and ''single'', a `backtick`, ünïcode'
          runbook_url: https://example.org/docs/runbooks/DbcOdd.md
          dashboard_url: http://localhost:3000/d/dbc-node?var-node={{ $labels.node_id | urlquery }}
          description: >-
            {{ $labels.node_id }} is at {{ $value | humanizePercentage }}
            {{ with printf "up{x='%s'}" .Labels.x | query }}{{ . | first | value }}{{ end }}
  - name: dbc-other
    rules:
      - {alert: DbcOther, expr: vector(1)}
"""
TEST = """rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series:
      - {series: 'dbc_node_up{node_id="n",name="x"}', values: 0x20}
      - {series: 'dbc_target_info{node_id="n",site="x{{y}}"}', values: 1x20}
    alert_rule_test:
      - eval_time: 10m
        alertname: DbcOdd
        exp_alerts:
          - exp_labels: {severity: page, node_id: n, name: x}
            exp_annotations:
              summary: 'quotes "both" and ''single'', a `backtick`, ünïcode'
              runbook_url: https://example.org/docs/runbooks/DbcOdd.md
              dashboard_url: http://localhost:3000/d/dbc-node?var-node=n
              description: "n is at 0% "
"""
DASHBOARD = '{\n  "title": "Fleet — {{ node_id }}",\n  "panels": [{"expr": "a{b=\\"$c\\"}", "legend": "{{site}}"}]\n}\n'
ENABLED = {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {
        "alerts/dbc-odd_rules.rules.yml": RULES,
        "alerts/README.md": "no rules",
        "dashboards/Fleet_overview.json": DASHBOARD,
        "dashboards/node.json": "{}",
    }
    return with_files(tmp_path_factory.mktemp("chart"), files)


def test_rules_mean_the_same_after_rendering(chart: Path) -> None:
    rule = render(ENABLED, chart=chart).one("PrometheusRule")
    assert rule["metadata"]["name"] == "dbc-exporter-odd-rules"
    assert rule["spec"] == yaml.safe_load(RULES)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_rendered_rules_behave_as_written(chart: Path, tmp_path: Path) -> None:
    spec = render(ENABLED, chart=chart).one("PrometheusRule")["spec"]
    for group in spec["groups"]:
        for rule in group["rules"]:
            rule.pop("keep_firing_for", None)  # Debian's promtool is older than it
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(spec))
    (tmp_path / "test.yml").write_text(TEST)
    said = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


def alerts(rules: list[Manifest]) -> dict[str, dict[str, str]]:
    return {
        rule["alert"]: rule.get("labels", {})
        for manifest in rules
        for group in manifest["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def test_every_alert_gets_the_additional_labels_and_no_recording_rule_does(chart: Path) -> None:
    values = {
        "prometheusRule": {"enabled": True, "additionalRuleLabels": {"team": "gpu", "severity": "ticket"}}
    }
    rendered = render(values, chart=chart)
    assert alerts(rendered.all("PrometheusRule")) == {
        "DbcOdd": {"team": "gpu", "severity": "ticket"},
        "DbcOther": {"team": "gpu", "severity": "ticket"},
    }
    assert "labels" not in rendered.one("PrometheusRule")["spec"]["groups"][0]["rules"][0]


def test_links_lead_to_ones_own_grafana_and_runbooks(chart: Path) -> None:
    own = {"grafanaUrl": "https://grafana.example/sub/", "runbooksUrl": "https://wiki.example/dbc"}
    rule = render(ENABLED, {"prometheusRule": own}, chart=chart).one("PrometheusRule")
    links = rule["spec"]["groups"][0]["rules"][1]["annotations"]
    node = "{{ $labels.node_id | urlquery }}"
    assert links["dashboard_url"] == f"https://grafana.example/sub/d/dbc-node?var-node={node}"
    assert links["runbook_url"] == "https://wiki.example/dbc/DbcOdd.md"


def test_an_alert_can_be_left_out_with_its_empty_group(chart: Path) -> None:
    values = {"prometheusRule": {"enabled": True, "disabledAlerts": ["DbcOther"]}}
    (rule,) = render(values, chart=chart).all("PrometheusRule")
    assert [group["name"] for group in rule["spec"]["groups"]] == ["dbc-odd"]
    assert list(alerts([rule])) == ["DbcOdd"]


def test_leaving_out_an_alert_that_does_not_exist_is_a_mistake(chart: Path) -> None:
    values = {"prometheusRule": {"enabled": True, "disabledAlerts": ["DbcOther", "DbcTypo"]}}
    with pytest.raises(helm_python.HelmRenderError, match="there is no alert DbcTypo"):
        render(values, chart=chart)


def test_rules_that_cannot_be_read_are_no_empty_rules(tmp_path: Path) -> None:
    chart = with_files(tmp_path, {"alerts/bad.yml": "groups: [\n"})
    with pytest.raises(helm_python.HelmRenderError, match=re.escape("files/alerts/bad.yml")):
        render(ENABLED, chart=chart)


def test_dashboards_arrive_byte_for_byte_under_labels_the_sidecar_looks_for(chart: Path) -> None:
    values = {
        "dashboards": {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "DBC"}}
    }
    rendered = render(values, chart=chart)
    found = rendered.one("ConfigMap", "dbc-exporter-fleet-overview")
    assert json.loads(found["data"]["Fleet_overview.json"]) == json.loads(DASHBOARD)
    assert found["data"]["Fleet_overview.json"] == DASHBOARD.rstrip("\n")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["namespace"] == "grafana"
    assert found["metadata"]["annotations"] == {"grafana_folder": "DBC"}
    assert rendered.one("ConfigMap", "dbc-exporter-node")["data"] == {"node.json": "{}"}


def test_rules_go_where_their_prometheus_looks(chart: Path) -> None:
    values = {
        "prometheusRule": {
            "enabled": True,
            "namespace": "prometheus",
            "additionalLabels": {"release": "prometheus"},
            "annotations": {"note": "x"},
        }
    }
    metadata = render(values, chart=chart).one("PrometheusRule")["metadata"]
    assert metadata["namespace"] == "prometheus"
    assert metadata["labels"]["release"] == "prometheus"
    assert metadata["annotations"] == {"note": "x"}


def test_a_chart_without_files_makes_none(tmp_path: Path) -> None:
    rendered = render(ENABLED, chart=with_files(tmp_path, {}))
    assert rendered.all("PrometheusRule") == []
    assert len(rendered.all("ConfigMap")) == 1


def test_the_projects_own_rules_and_dashboards_are_all_there() -> None:
    rendered = render(ENABLED)
    files = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "alerts").glob("*.yml"))]
    rules = [file for file in files if "groups" in file]
    assert [one["spec"] for one in rendered.all("PrometheusRule")] == rules
    boards = {path.name: path.read_text().rstrip("\n") for path in (ROOT / "dashboards").glob("*.json")}
    maps = [one["data"] for one in rendered.all("ConfigMap") if "settings.yml" not in one["data"]]
    assert {name: text for data in maps for name, text in data.items()} == boards


@pytest.mark.real
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_projects_rules_as_rendered(tmp_path: Path) -> None:
    rules = render(ENABLED).all("PrometheusRule")
    assert len(rules) > 1
    for rule in rules:
        (tmp_path / f"{rule['metadata']['name']}.yml").write_text(yaml.safe_dump(rule["spec"]))
    files = sorted(str(path) for path in tmp_path.iterdir())
    said = subprocess.run(["promtool", "check", "rules", *files], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


# -- thresholds ------------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "values": {name: {"value": 1.25 + n} for n, name in enumerate(VALUES)},
    "holds": {name: {"polls": 50 + n, "seconds": 5000 + n} for n, name in enumerate(HOLDS)},
}


def ruled(thresholds: dict[str, Any]) -> list[Manifest]:
    values = {"prometheusRule": {"enabled": True, "thresholds": thresholds}}
    return [one["spec"] for one in render(values).all("PrometheusRule")]


def test_numbers_of_ones_own_mean_in_values_what_they_mean_in_a_file(tmp_path: Path) -> None:
    part = {
        "values": {"node_disk_usage_ratio": {"value": 0.85}},
        "holds": {"DbcNodeDiskShort": {"seconds": 900}},
    }
    for number, thresholds in enumerate(({}, part, OWN)):
        file, out = tmp_path / "mine.yml", tmp_path / str(number)
        file.write_text(yaml.safe_dump(thresholds))
        assert monitoring(["--output", str(out), "--thresholds", str(file)]) == 0
        written = [yaml.safe_load(path.read_text()) for path in sorted(out.iterdir())]
        assert ruled(thresholds) == written


def test_every_threshold_that_rules_have_can_be_changed() -> None:
    numbers = re.findall(r"[0-9.]+", yaml.safe_dump(ruled(OWN), width=10_000))
    changed = [entry["value"] for entry in OWN["values"].values()]
    changed += [entry["seconds"] for entry in OWN["holds"].values()]
    assert [number for number in changed if str(number) not in numbers] == []


def test_a_copy_of_the_whole_file_of_thresholds_changes_nothing() -> None:
    assert ruled(yaml.safe_load((ROOT / "alerts" / "thresholds.yml").read_text())) == ruled({})


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"values": {"node_disk": {"value": 1}}}, "additional properties 'node_disk' not allowed"),
        (
            {"values": {"node_timeouts": {"value": "many"}}},
            "values/node_timeouts/value': got string, want number",
        ),
        ({"holds": {"DbcNodeDiskShort": {"for": "5m"}}}, "additional properties 'for' not allowed"),
        ({"holds": {"DbcTypo": {"seconds": 5}}}, "additional properties 'DbcTypo' not allowed"),
    ],
)
def test_a_threshold_that_does_not_exist_or_is_no_number_is_refused(
    thresholds: dict[str, Any], message: str
) -> None:
    with pytest.raises(helm_python.HelmValuesError, match=re.escape(message)):
        ruled(thresholds)


def test_each_config_map_of_a_dashboard_fits_into_etcd() -> None:
    for path in (ROOT / "dashboards").glob("*.json"):
        assert path.stat().st_size < 900_000, path.name


def test_the_chart_takes_the_dashboards_from_where_everybody_does() -> None:
    assert (CHART / "files" / "dashboards").resolve() == ROOT / "dashboards"
