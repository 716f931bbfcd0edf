"""The target pages as JSON. Times are Unix seconds; what is unknown is null, never left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from dbc_exporter.web.pages.condition import condition
from dbc_exporter.web.types import CollectorView, TargetView


def targets_json(targets: Sequence[TargetView], total: int, now: float) -> bytes:
    """Encode a list of targets out of `total` that are watched."""
    return msgspec.json.encode(
        {
            "generated_timestamp_seconds": now,
            "total": total,
            "matched": len(targets),
            "targets": [target_record(target) for target in targets],
        }
    )


def target_json(target: TargetView, now: float) -> bytes:
    """Encode one target."""
    return msgspec.json.encode({"generated_timestamp_seconds": now, "target": target_record(target)})


def target_record(target: TargetView) -> dict[str, Any]:
    """Return a target as plain data; `condition` is the one word that the pages show for it."""
    return {
        "id": target.id,
        "kind": target.kind,
        "name": target.name,
        "manager": target.manager,
        "client": target.client,
        "labels": dict(target.labels),
        "condition": condition(target).value,
        "visible": target.visible,
        "up": target.up,
        "suspect": target.suspect,
        "collectors": [_collector_record(collector) for collector in target.collectors],
    }


def _collector_record(collector: CollectorView) -> dict[str, Any]:
    return {
        "name": collector.name,
        "state": collector.state.value,
        "interval_seconds": collector.interval_seconds,
        "last_attempt_timestamp_seconds": collector.last_attempt,
        "last_success_timestamp_seconds": collector.last_success,
        "age_seconds": collector.age_seconds,
        "last_error": collector.last_error,
        "next_poll_timestamp_seconds": collector.next_poll,
    }
