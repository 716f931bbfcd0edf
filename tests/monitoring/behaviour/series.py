"""Expositions become the series of a promtool test, as a Prometheus that scrapes them would store them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

JOB = "dbc"
TIME = "_timestamp_seconds"


@dataclass(slots=True)
class _Run:
    """Scrapes in a row, counted from 0, with one value."""

    value: str
    first: int
    last: int


@dataclass(slots=True)
class Series:
    """What was scraped of some metrics. promtool's time begins at 0, so Unix times lose `epoch`."""

    metrics: Collection[str]
    epoch: float
    scrapes: int = 0
    _runs: dict[tuple[str, str], list[_Run]] = field(default_factory=dict)

    def scrape(self, *expositions: str) -> None:
        """Take the next of each exporter; "" is of one that does not answer."""
        for number, exposition in enumerate(expositions):
            self._take(exposition, instance(number))
        self.scrapes += 1

    def _take(self, exposition: str, exporter: str) -> None:
        number = self.scrapes
        for line in exposition.splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            if name not in self.metrics:
                continue
            if name.endswith(TIME):
                value = f"{float(value) - self.epoch:.3f}"
            runs = self._runs.setdefault((exporter, series), [])
            if runs and runs[-1].value == value and runs[-1].last == number - 1:
                runs[-1].last = number
            else:
                runs.append(_Run(value, number, number))

    def written(self, scrapes: int | None = None) -> Mapping[str, str]:
        """Return promtool's notation of all, or of the first `scrapes`, after which nothing was scraped any more."""
        until = self.scrapes if scrapes is None else scrapes
        return {
            _labelled(series, exporter): _written(runs, until)
            for (exporter, series), runs in self._runs.items()
            if runs[0].first < until
        }


def _written(runs: list[_Run], until: int) -> str:
    """Write values and gaps; the scrape that misses a series ends it."""
    parts: list[str] = []
    place = 0
    for run in runs:
        if run.first >= until:
            break
        if run.first > place:
            parts += ["stale", f"_x{run.first - place - 1}"] if place else [f"_x{run.first}"]
        last = min(run.last, until - 1)
        parts.append(f"{run.value}x{last - run.first}")
        place = last + 1
    return " ".join([*parts, "stale"])


def instance(number: int) -> str:
    """Return the label `instance` of the exporter of this number."""
    return f"exporter{number or ''}:10177"


def _labelled(series: str, exporter: str) -> str:
    name, brace, labels = series.partition("{")
    target = f'job="{JOB}",instance="{exporter}"'
    return f"{name}{{{target},{labels}" if brace else f"{name}{{{target}}}"
