"""What is true of every rule, as it is shipped."""

from __future__ import annotations

import copy
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbc_exporter import remediation_cli
from dbc_exporter.config import flags
from monitoring import links
from monitoring.__main__ import ROOT, differences, main
from monitoring.alert import Severity
from monitoring.files import ALERTS, GROUPS
from monitoring.inhibit import RULES as INHIBIT_RULES
from monitoring.promql import FOREIGN, examine
from monitoring.rules import SWITCH, group, switch
from monitoring.rules_lint import lint
from monitoring.thresholds import HOLDS, VALUES
from tests.monitoring.played import RULES
from tests.monitoring.promtool import needs_promtool

RUNBOOKS = ROOT / "docs" / "runbooks"
NAMES = {alert.name for alert in ALERTS}
PAGES = set(links.VARIABLES)


def groups() -> list[dict[str, Any]]:
    return [*(group(one) for one in GROUPS), switch()]


def runbooks() -> set[str]:
    return {path.stem for path in RUNBOOKS.glob("*.md") if path.stem != "README"}


def test_the_files_are_what_the_declarations_say() -> None:
    assert list(differences(ROOT)) == []


def test_a_stale_and_a_strange_file_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    stale = tmp_path / "alerts" / "thresholds.yml"
    stale.write_text("{}", encoding="utf-8")
    (tmp_path / "alerts" / "mine.yml").write_text("{}", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "alerts/thresholds.yml is not up to date" in said
    assert "alerts/mine.yml is not written by anything" in said


def test_an_operators_own_numbers_and_addresses_make_rules_elsewhere(tmp_path: Path) -> None:
    numbers, out = tmp_path / "mine.yml", tmp_path / "out"
    numbers.write_text(
        "values: {node_disk_usage_ratio: {value: 0.8}}\nholds: {DbcNodeDiskShort: {seconds: 60}}",
        encoding="utf-8",
    )
    given = [
        "--output",
        str(out),
        "--thresholds",
        str(numbers),
        "--grafana",
        "https://g/",
        "--runbooks",
        "https://r",
    ]
    assert main(given, tmp_path) == 0
    rules = yaml.safe_load((out / "dbc-nodes.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    record = next(rule for rule in rules if rule.get("record") == "node_disk:dbc_node_disk_usage_ratio:short")
    alert = next(rule for rule in rules if rule.get("alert") == "DbcNodeDiskShort")
    assert record["expr"].endswith("> 0.8")
    assert "clamp_min(3 *" in alert["expr"]
    assert alert["expr"].rstrip(")\n").endswith(", 60")
    assert alert["annotations"]["dashboard_url"].startswith("https://g/d/dbc-node?")
    assert alert["annotations"]["runbook_url"] == "https://r/DbcNodeDiskShort.md"
    assert not (tmp_path / "alerts").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("values: {node_disk: {value: 1}}", "no threshold node_disk"),
        ("values: {node_disk_usage_ratio: {value: high}}", "value is no number"),
        ("thresholds: {}", "no thresholds"),
        ("holds: 3", "holds is no mapping"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    numbers = tmp_path / "mine.yml"
    numbers.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path / "out"), "--thresholds", str(numbers)], tmp_path)
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_rules_are_clean() -> None:
    assert lint(groups(), runbooks(), PAGES) == []


@pytest.mark.real
@needs_promtool
def test_promtool_has_no_complaint() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint-fatal", *map(str, RULES)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_every_alert_has_exactly_the_labels_it_declares() -> None:
    recorded = {rule["record"]: rule["expr"] for one in groups() for rule in one["rules"] if "record" in rule}
    for alert in ALERTS:
        labels = examine(recorded[alert.record], foreign=FOREIGN | recorded.keys()).labels
        assert labels is not None
        assert labels.any or labels.names == set(alert.ids.split(", ")), alert.name


def test_every_alert_has_its_hold_and_every_threshold_is_used() -> None:
    assert HOLDS.keys() == NAMES
    used = "\n".join(rule.when for rule in ALERTS) + "\n".join(r.expr for one in GROUPS for r in one.records)
    assert set(re.findall(r"\$\{(\w+)\}", used)) - {"since"} == VALUES.keys()


def test_every_alert_is_played() -> None:
    played = Path(__file__).with_name("test_rules_played.py").read_text(encoding="utf-8")
    assert {name for name in NAMES | {SWITCH} if f'"{name}"' not in played} == set()


def test_what_is_polled_must_last_for_polls_and_what_is_not_only_for_a_time() -> None:
    for alert in ALERTS:
        assert bool(alert.paced) == (HOLDS[alert.name].polls > 0), alert.name


def test_what_remediation_says_of_itself_can_be_kept_from_it_by_its_name() -> None:
    about = {alert.name for alert in ALERTS if alert.page == links.REMEDIATION}
    assert about == {name for name in NAMES if name.startswith("DbcRemediation")}


def test_no_name_is_one_of_the_evidence() -> None:
    text = (ROOT / "examples" / "remediation" / "rules.yml").read_text(encoding="utf-8")
    evidence = {rule["alert"] for one in yaml.safe_load(text)["groups"] for rule in one["rules"]}
    assert evidence.isdisjoint(NAMES | {SWITCH})


@pytest.mark.parametrize("rule", INHIBIT_RULES, ids=lambda rule: rule["source_matchers"][0])
def test_inhibitions_name_alerts_that_have_the_labels_they_must_share(rule: dict[str, Any]) -> None:
    for side in ("source_matchers", "target_matchers"):
        pattern = rule[side][0].split('"')[1]
        meant = [alert for alert in ALERTS if re.fullmatch(pattern, alert.name)]
        assert meant
        for alert in meant:
            assert set(rule["equal"]) <= set(alert.ids.split(", ")), alert.name


def test_no_client_trouble_silences_a_machine() -> None:
    clients = {alert.name for alert in GROUPS[0].alerts}
    for rule in INHIBIT_RULES:
        sources, targets = (
            {name for name in NAMES if re.fullmatch(rule[side][0].split('"')[1], name)}
            for side in ("source_matchers", "target_matchers")
        )
        if sources & clients:
            assert targets <= clients


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed (prometheus-alertmanager)"
)
@pytest.mark.real
def test_amtool_has_no_complaint_about_the_inhibitions(tmp_path: Path) -> None:
    text = (ROOT / "alerts" / "alertmanager-inhibit.yml").read_text(encoding="utf-8")
    file = tmp_path / "alertmanager.yml"
    file.write_text(f"route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{text}", encoding="utf-8")
    done = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


# -- the lint catches mistakes ---------------------------------------------------------------------------------

Plant = Callable[[dict[str, Any]], None]


def _replace(old: str, new: str) -> Plant:
    def plant(rule: dict[str, Any]) -> None:
        assert old in rule["expr"]
        rule["expr"] = rule["expr"].replace(old, new)

    return plant


def _annotate(name: str, text: str) -> Plant:
    def plant(rule: dict[str, Any]) -> None:
        rule["annotations"] = {**rule["annotations"], name: text}

    return plant


def _label(rule: dict[str, Any]) -> None:
    rule["labels"] = {"severity": "loud"}


MISTAKES: Mapping[str, tuple[str, Plant, str]] = {
    "misspelt metric": (
        "node:dbc_node_gpus:missing",
        _replace("dbc_node_gpus)", "dbc_node_gpu)"),
        "dbc_node_gpu is no metric of ours",
    ),
    "impossible label value": (
        "client:dbc_client_state:isolated",
        _replace("isolated", "lonely"),
        "state of dbc_client_state is never lonely",
    ),
    "label that is not there": (
        "node:dbc_node_gpus:missing",
        _replace("on (job, node_id)", "on (job, node)"),
        "by node, which is not there",
    ),
    "label lost in an aggregation": (
        "vm:dbc_vm_state:error",
        _replace("max by (job, node_id, task_id)", "max by (job, node_id)"),
        "speaks of its label task_id, which it has not",
    ),
    "rate of a gauge": (
        "node:dbc_node_gpus:missing",
        _replace("dbc_node_gpus)", "rate(dbc_node_gpus[5m]))"),
        "rate() of dbc_node_gpus, which is no counter",
    ),
    "counter without a rate": (
        "field:dbc_parse_failures:increase1h",
        _replace("increase(dbc_parse_failures_total[1h])", "dbc_parse_failures_total"),
        "dbc_parse_failures_total is a counter",
    ),
    "broken syntax": (
        "node:dbc_node_gpus:missing",
        _replace("> 0", "> 0)"),
        "does not parse",
    ),
    "regular expression for everything": (
        "client:dbc_client_state:isolated",
        _replace('state="isolated"', 'state=~".*ted"'),
        "matches too much",
    ),
    "rate over too few scrapes": (
        "field:dbc_parse_failures:increase1h",
        _replace("[1h]", "[1m]"),
        "a rate over 1m is lost with two scrapes",
    ),
    "choice among series": (
        "node:dbc_node_gpus:missing",
        lambda rule: rule.update(expr=f"topk(5, {rule['expr']})"),
        "chooses among series",
    ),
    "value with all decimals": (
        "DbcExporterParseFailures",
        _annotate("description", "{{ $labels.field }}: {{ $value }}"),
        "shows a value with all its decimals",
    ),
    "no comparison": (
        "DbcClientDown",
        lambda rule: rule.update(expr="client:dbc_client_state:unreachable"),
        "compares nothing",
    ),
    "summary with a value": (
        "DbcClientDown",
        _annotate("summary", "{{ $labels.client }} is down"),
        "summary that changes",
    ),
    "link to another runbook": (
        "DbcClientDown",
        _annotate("runbook_url", "https://example.org/DbcClientUp.md"),
        "points to another alert's runbook",
    ),
    "link to no dashboard": (
        "DbcClientDown",
        _annotate("dashboard_url", "http://localhost/d/dbc-clients"),
        "the dashboard dbc-clients, which is not there",
    ),
    "no description": ("DbcClientDown", _annotate("description", ""), "has no description"),
    "unknown severity": ("DbcClientDown", _label, "has the severity loud"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_lint_catches(mistake: str) -> None:
    name, plant, complaint = MISTAKES[mistake]
    planted = copy.deepcopy(groups())
    (rule,) = (r for one in planted for r in one["rules"] if name in {r.get("record"), r.get("alert")})
    plant(rule)
    assert any(complaint in problem for problem in lint(planted, NAMES | {SWITCH}, PAGES))


def test_the_lint_catches_a_missing_and_an_orphaned_runbook() -> None:
    found = lint(groups(), (NAMES | {SWITCH, "DbcOld"}) - {"DbcClientDown"}, PAGES)
    assert found == ["DbcClientDown has no runbook", "the runbook DbcOld has no alert"]


# -- runbooks --------------------------------------------------------------------------------------------------

SECTIONS = ["What it means", "First checks", "Likely causes", "What remediation does", "How to silence"]


@pytest.mark.parametrize("name", sorted(NAMES | {SWITCH}))
def test_every_runbook_says_what_a_person_needs(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    checks = text.split("## First checks\n")[1].split("\n## ")[0]
    assert len(re.findall(r"^\d\. ", checks, re.MULTILINE)) == 3
    assert "`" in checks
    assert f"alertname={name}" in text.split("## How to silence\n")[1]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook_says_how_urgent_it_is(alert: Any) -> None:
    text = (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")
    words = {Severity.PAGE: "Page", Severity.TICKET: "Ticket", Severity.INFO: "Info"}
    assert f"**{words[alert.severity]}.**" in text


@pytest.mark.parametrize("name", sorted(NAMES))
def test_queries_in_runbooks_can_be_asked(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    recorded = {rule["record"] for one in groups() for rule in one["rules"] if "record" in rule}
    for query in re.findall(r"```promql\n(.*?)```", text, re.DOTALL):
        assert (
            examine(
                query.replace('collector="…"', "").replace("…", "x"), foreign=FOREIGN | recorded | {"up"}
            ).problems
            == []
        )


def in_runbooks(pattern: str) -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md")]
    return sorted({found for text in texts for found in re.findall(pattern, text, re.MULTILINE)})


COMMANDS = in_runbooks(r"^ *\$ dbc-exporter (.+)$") + in_runbooks(r"`dbc-exporter\s([^`]+)`")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_runbooks_are_understood(line: str) -> None:
    words = shlex.split(re.sub(r"<[^>]+>", "x", line))
    if words[0] == flags.Command.REMEDIATION:
        remediation_cli._parser().parse_args(words[1:])
    else:
        flags.parse(words)


@pytest.mark.parametrize("pattern", in_runbooks(r"journalctl -u dbc-exporter .*\| grep (?:-i )?'?([^'\n]+)"))
def test_what_runbooks_look_for_in_the_log_is_written_there(pattern: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dbc_exporter").rglob("*.py"))
    events = re.findall(r'\blog\.\w+\(\s*"([^"]+)"', code)
    assert [event for event in events if pattern in event]
