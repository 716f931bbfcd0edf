"""Renders the chart with Helm's own engine, as `helm template` would."""

from __future__ import annotations

import copy
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "dbc-exporter"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL: dict[str, Any] = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text())

Manifest = dict[str, Any]

helm_python.disable_logging()  # it tells of every symbolic link


class Rendered:
    """What one set of values becomes."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.manifests: list[Manifest] = [
            document
            for name, text in texts.items()
            if not name.endswith("NOTES.txt")
            for document in yaml.safe_load_all(text)
            if document
        ]

    @property
    def notes(self) -> str:
        return next(text for name, text in self.texts.items() if name.endswith("NOTES.txt"))

    def all(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        (found,) = (one for one in self.all(kind) if name in (None, one["metadata"]["name"]))
        return found

    @property
    def workload(self) -> Manifest:
        """The Deployment, or the StatefulSet of shards."""
        (found,) = (*self.all("Deployment"), *self.all("StatefulSet"))
        return found

    @property
    def pod(self) -> Manifest:
        spec: Manifest = self.workload["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Manifest:
        container: Manifest = self.pod["containers"][0]
        return container

    @property
    def settings(self) -> Manifest:
        text = self.one("ConfigMap", self.workload["metadata"]["name"])["data"]["settings.yml"]
        settings: Manifest = yaml.safe_load(text)
        return settings


@cache
def _chart(path: Path) -> helm_python.Chart:
    return helm_python.Chart.load(path)


def render(*layers: dict[str, Any], chart: Path = CHART, name: str = "dbc-exporter") -> Rendered:
    """Render the minimal values with layers over them. Raises helm_python.HelmError with what helm would say."""
    values: dict[str, Any] = {}
    for layer in (MINIMAL, *layers):
        merge(values, layer)
    return Rendered(_chart(chart).render(values, name=name, namespace="monitoring"))


def merge(into: dict[str, Any], layer: dict[str, Any]) -> None:
    """Lay one tree of values over another, as helm does with several files of values."""
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def with_files(folder: Path, files: dict[str, str]) -> Path:
    """Return a copy of the chart whose `files/` are these alone."""
    chart = folder / CHART.name
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("files"))
    for name, text in files.items():
        path = chart / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return chart


def case(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values
