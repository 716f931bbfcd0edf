"""Families that stand on no panel, each with the reason."""

from __future__ import annotations

WAIVED: dict[str, str] = {
    "dbc_target_elsewhere": "of use beside what the other shards show only; DbcExporterTargetUnpolled is the list of it",
    "python_gc_objects_collected_total": "of use to a profiler only; the runs of the collection are shown",
    "python_gc_objects_uncollectable_total": "Python has not counted any here for many releases",
    **dict.fromkeys(
        ("dbc_probe_success", "dbc_probe_failed", "dbc_probe_duration_seconds"),
        "there only in jobs that scrape /probe, whose names and labels are the operator's own",
    ),
}
