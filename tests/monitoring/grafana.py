"""What Grafana does with a dashboard: fills variables, then asks Prometheus for every panel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.e2e.processes import Served

Series = dict[str, str]

ALL = ".+"
STEP = 30
MACROS = {"$__rate_interval": "2m", "$__interval": f"{STEP}s"}
LABEL_VALUES = re.compile(r"label_values\((.*),\s*(\w+)\)$", re.DOTALL)
QUERY_RESULT = re.compile(r"query_result\((.*)\)$", re.DOTALL)


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus with data from `start` to `end` (Unix time)."""

    process: Served
    start: float
    end: float

    def range(self, expr: str) -> list[Series]:
        """Evaluate at every step; return the labels of every series that had a value at some time."""
        asked = {"query": expr, "start": self.start, "end": self.end, "step": STEP}
        return [row["metric"] for row in self._ask("query_range", asked)["result"]]

    def label_values(self, selector: str, label: str) -> list[str]:
        asked = {"match[]": selector, "start": self.start, "end": self.end}
        found: list[str] = self._ask(f"label/{label}/values", asked)
        return found

    def _ask(self, path: str, asked: Mapping[str, object]) -> Any:
        answer = json.loads(self.process.get(f"/api/v1/{path}?{urlencode(asked)}").body)
        assert answer["status"] == "success", (asked, answer)
        return answer["data"]


def filled(text: str, chosen: Mapping[str, str], seconds: float) -> str:
    """Put values in the place of macros and variables."""
    for macro, value in {**MACROS, "$__range": f"{seconds:.0f}s"}.items():
        text = text.replace(macro, value)
    for name, value in chosen.items():
        text = re.sub(rf"\${name}\b", value.replace("\\", r"\\"), text)
    return text


def options(variable: Mapping[str, Any], prometheus: Prometheus, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return a query variable's values with the texts shown for them."""
    query = filled(variable["query"]["query"], chosen, prometheus.end - prometheus.start)
    if values := LABEL_VALUES.match(query):
        return {value: value for value in prometheus.label_values(values.group(1), values.group(2))}
    result = QUERY_RESULT.match(query)
    assert result, query
    pattern = re.compile(variable["regex"].strip("/").replace("?<", "?P<"))
    found = {}
    for series in prometheus.range(result.group(1)):
        written = "{" + ",".join(f'{name}="{value}"' for name, value in sorted(series.items())) + "}"
        matched = pattern.search(written)
        assert matched, written
        found[matched["value"]] = matched["text"]
    return found


def targets(panel: Mapping[str, Any], chosen: Mapping[str, str], seconds: float) -> Iterator[tuple[str, str]]:
    """Give each query of a panel as it is sent, with its legend."""
    for target in panel["targets"]:
        yield filled(target["expr"], chosen, seconds), target.get("legendFormat", "")
