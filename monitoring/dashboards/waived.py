"""Families that stand on no panel, each with the reason."""

from __future__ import annotations

WAIVED: dict[str, str] = {
    "python_gc_objects_collected_total": "of use to a profiler only; the runs of the collection are shown",
    "python_gc_objects_uncollectable_total": "Python has not counted any here for many releases",
}
