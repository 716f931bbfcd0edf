"""Whatever it is asked for, the chart makes manifests that Kubernetes takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator
from kubernetes_validate import utils

from dbc_exporter import __version__
from tests.helm.rendering import CASES, CHART, Manifest, case, render, with_files

VERSIONS = list(dict.fromkeys(utils.all_versions()))[-4:]  # newest last
MODELS: dict[str, Any] = {
    "ServiceMonitor": operator.ServiceMonitor,
    "PrometheusRule": operator.PrometheusRule,
}
RULES = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up == 0, for: 5m, labels: {severity: page}}\n"


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"alerts/one_group.yml": RULES, "dashboards/fleet.json": '{"title": "{{ x }}"}\n'}
    return with_files(tmp_path_factory.mktemp("chart"), files)


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", CASES, ids=names(CASES))
def test_each_manifest_fits_the_strict_schema(values: Path, version: str, chart: Path) -> None:
    manifests = render(case(values), chart=chart).manifests
    assert len(manifests) >= 4
    for manifest in manifests:
        if manifest["kind"] not in MODELS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_strict_schema_notices_a_misspelt_field() -> None:
    deployment = render().one("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def as_the_operator_reads_it(manifest: Manifest) -> Manifest:
    """Pass a manifest through the operator's model, which drops what it does not know."""
    model = MODELS[manifest["kind"]].model_validate(manifest)
    read: Manifest = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return read


@pytest.mark.parametrize("kind", MODELS)
def test_the_operators_model_knows_every_key(kind: str, chart: Path) -> None:
    (manifest,) = render(case(CHART / "ci" / "everything-values.yaml"), chart=chart).all(kind)
    assert as_the_operator_reads_it(manifest)["spec"] == manifest["spec"]


def test_the_operators_model_knows_every_key_of_the_projects_own_rules() -> None:
    rules = render({"prometheusRule": {"enabled": True}}).all("PrometheusRule")
    assert rules
    for rule in rules:
        assert as_the_operator_reads_it(rule)["spec"] == rule["spec"]


def test_the_operators_model_notices_a_misspelt_key(chart: Path) -> None:
    manifest = render({"serviceMonitor": {"enabled": True}}, chart=chart).one("ServiceMonitor")
    manifest["spec"]["endpoints"][0]["intervall"] = "30s"
    assert as_the_operator_reads_it(manifest)["spec"] != manifest["spec"]


@pytest.mark.parametrize("values", CASES, ids=names(CASES))
def test_each_object_has_a_name_of_its_own_the_namespace_and_the_recommended_labels(
    values: Path, chart: Path
) -> None:
    given = case(values)
    rendered = render(given, chart=chart)
    ours = [one for one in rendered.manifests if "labels" in one["metadata"]]
    keys = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in ours]
    assert len(set(keys)) == len(keys)
    home = given.get("namespaceOverride", "monitoring")
    abroad = {
        given.get(part, {}).get("namespace") for part in ("serviceMonitor", "prometheusRule", "dashboards")
    }
    assert {namespace for _, namespace, _ in keys} <= {home, *abroad} - {None}
    for one in ours:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "dbc-exporter"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert re.fullmatch(r"dbc-exporter-\d+\.\d+\.\d+", labels["helm.sh/chart"])


@pytest.mark.parametrize("values", CASES, ids=names(CASES))
def test_selectors_find_the_pod_and_survive_an_upgrade(values: Path, chart: Path) -> None:
    rendered = render(case(values), chart=chart)
    workload = rendered.workload["spec"]
    wanted = workload["selector"]["matchLabels"]
    assert wanted == {"app.kubernetes.io/name": "dbc-exporter", "app.kubernetes.io/instance": "dbc-exporter"}
    assert wanted.items() <= workload["template"]["metadata"]["labels"].items()
    assert rendered.one("Service")["spec"]["selector"] == wanted
    for monitor in rendered.all("ServiceMonitor"):
        found = monitor["spec"]["selector"]["matchLabels"]
        assert found.items() <= rendered.one("Service")["metadata"]["labels"].items()


@pytest.mark.parametrize("values", CASES, ids=names(CASES))
def test_each_mount_has_a_volume_and_each_volume_a_mount(values: Path, chart: Path) -> None:
    rendered = render(case(values), chart=chart)
    mounts = [mount["name"] for mount in rendered.container["volumeMounts"]]
    claims = [one["metadata"]["name"] for one in rendered.workload["spec"].get("volumeClaimTemplates", ())]
    assert sorted(mounts) == sorted([*claims, *(volume["name"] for volume in rendered.pod["volumes"])])


@pytest.mark.parametrize("values", CASES, ids=names(CASES))
def test_helms_linter_has_no_warning(values: Path) -> None:
    said = helm_python.lint(CHART, case(values), strict=True)
    assert [message for message in said["messages"] if message["severity"] > 1] == []
    assert said["errors"] == []


def test_the_chart_is_of_the_exporters_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


def test_the_package_has_all_it_needs(tmp_path: Path, chart: Path) -> None:
    archive = helm_python.package(chart, destination=tmp_path)
    with helm_python.Chart.load(archive) as packed:
        files = {file["name"] for file in packed.files}
        assert {"README.md", "files/alerts/one_group.yml", "files/dashboards/fleet.json"} <= files
        assert not any(name.startswith("ci/") for name in files)
        assert packed.schema is not None


@pytest.mark.parametrize("values", [{}, case(CHART / "ci" / "sharded-values.yaml")], ids=["one", "shards"])
def test_long_names_stay_valid(values: Manifest) -> None:
    rendered = render(values, name="a-very-long-release-name-that-goes-on-and-on-and-on")
    revision = len("-0123456789")  # Kubernetes labels the pods of a StatefulSet with its name and a revision
    assert all(len(one["metadata"]["name"]) + revision <= 63 for one in rendered.all("StatefulSet"))
    for manifest in rendered.manifests:
        assert len(manifest["metadata"]["name"]) <= 63
        assert not manifest["metadata"]["name"].endswith("-")
