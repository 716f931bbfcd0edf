"""What a metric family is: its declaration as data, and nothing that emits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

COLLECTORS = (
    "client",
    "node",
    "orders",
    "tasks",
    "vms",
    "disks",
    "snapshots",
    "images",
    "centre_images",
    "transfers",
    "lan",
    "bare_metal",
    "power",
)
"""Names of the collectors: values of the `collector` label."""

JOBS = (*COLLECTORS, "housekeeping", "target_files", "state")
"""Names of the scheduler's jobs: one per collector, and its own."""

OWNERS = (*COLLECTORS, "reachability", "targets", "freshness", "exporter", "remediation", "probe", "process")
"""Who may own a family; the values `collect[]` accepts."""


class MetricType(StrEnum):
    """The types of the text format that we use."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Stability(StrEnum):
    """What users may lean on: stable names and labels change only with a deprecation period."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    `name` is the sample name as users query it (counters end in `_total`), `unit` the base unit that the name ends
    with ("" for counts, flags and states), `labels` the label names in order, `enums` the closed value sets of those
    labels that have one, `source` where the fact comes from, and `collector` the one part that fills the family.
    `own` families live in the prometheus_client registry of this process, all others in the store. `user_labels`
    is set where labels named `label_*` may follow the declared ones.
    """

    name: str
    type: MetricType
    help: str
    collector: str
    source: str
    labels: tuple[str, ...] = ()
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str = ""
    stability: Stability = Stability.STABLE
    own: bool = False
    user_labels: bool = False

    @property
    def stem(self) -> str:
        """The name OpenMetrics uses in its metadata lines: counters without `_total`."""
        return self.name.removesuffix("_total") if self.type is MetricType.COUNTER else self.name

    @property
    def state_label(self) -> str | None:
        """The label whose values are always written out together (a state set or counts by state)."""
        return "state" if "state" in self.enums else "status" if "status" in self.enums else None

    @property
    def lines(self) -> int:
        """Samples written together for one identity: the size of the state set, or 1."""
        return len(self.enums[self.state_label]) if self.state_label else 1


def gauge(
    name: str,
    text: str,
    collector: str,
    source: str,
    labels: str = "",
    *,
    enums: Mapping[str, tuple[str, ...]] | None = None,
    unit: str = "",
    stability: Stability = Stability.STABLE,
) -> Family:
    """Declare a gauge that a collector polls; the help text gets the note that says so."""
    return Family(
        name,
        MetricType.GAUGE,
        f"{text} Polled by the {collector} collector.",
        collector,
        source,
        tuple(labels.split()),
        enums or {},
        unit,
        stability,
    )


def ours(
    name: str,
    text: str,
    collector: str,
    labels: str = "",
    *,
    type_: MetricType = MetricType.GAUGE,
    enums: Mapping[str, tuple[str, ...]] | None = None,
    unit: str = "",
    own: bool = True,
    user_labels: bool = False,
) -> Family:
    """Declare a family about this exporter and its work; `own` ones are kept by prometheus_client."""
    return Family(
        name,
        type_,
        text,
        collector,
        "this exporter",
        tuple(labels.split()),
        enums or {},
        unit,
        Stability.STABLE,
        own,
        user_labels,
    )
