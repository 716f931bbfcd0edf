"""Families that only `/probe` serves: how the probe itself went."""

from __future__ import annotations

from dbc_exporter.metrics.families_client import REASONS
from dbc_exporter.metrics.family import Family, ours

PROBE_REASONS = (*REASONS, "busy", "suspect", "unlisted", "no_client", "no_source", "error")

FAMILIES: tuple[Family, ...] = (
    ours(
        "dbc_probe_success",
        "Whether every public source of the target could be asked by this probe and brought facts (1) or not (0).",
        "probe",
        "node_id",
        own=False,
    ),
    ours(
        "dbc_probe_failed",
        "1 for each reason of this probe's failure: that of a request, busy (no answer within the time of the scrape), "
        "suspect (silent lately, and asked apart), unlisted (no DBC client lists it), no_client (none is usable), "
        "no_source (no collector can ask it as it is configured), error (a mistake of ours).",
        "probe",
        "node_id reason",
        enums={"reason": PROBE_REASONS},
        own=False,
    ),
    ours(
        "dbc_probe_duration_seconds",
        "Time that this probe took.",
        "probe",
        "node_id",
        unit="seconds",
        own=False,
    ),
)
