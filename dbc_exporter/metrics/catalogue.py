"""The one list of metric families; what is not in it cannot be emitted."""

from __future__ import annotations

from dbc_exporter.metrics import (
    families_client,
    families_exporter,
    families_node,
    families_probe,
    families_process,
    families_remediation,
    families_rented,
)
from dbc_exporter.metrics.family import Family, MetricType

ALL: tuple[Family, ...] = (
    *families_client.FAMILIES,
    *families_node.FAMILIES,
    *families_rented.FAMILIES,
    *families_exporter.FAMILIES,
    *families_remediation.FAMILIES,
    *families_probe.FAMILIES,
    *families_process.FAMILIES,
)
FAMILIES: dict[str, Family] = {family.name: family for family in ALL}

_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


def family_of(sample: str) -> Family | None:
    """Return the family that a sample name belongs to, `None` for names that are not declared."""
    found = FAMILIES.get(sample)
    if found is not None:
        return found
    for suffix in _HISTOGRAM_SUFFIXES:
        base = FAMILIES.get(sample.removesuffix(suffix)) if sample.endswith(suffix) else None
        if base is not None and base.type is MetricType.HISTOGRAM:
            return base
    return None
