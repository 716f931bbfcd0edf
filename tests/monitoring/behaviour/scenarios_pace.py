"""A fleet whose polling asks too much of its DBC client."""

from __future__ import annotations

from dbc_exporter.config.settings import Settings
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Case, Stage

ONE_AT_A_TIME = {"name": "only", "url": "http://only.invalid", "max_in_flight_per_kind": 1}
"""The gentlest client: no request of a kind is sent while another one waits."""


def details_are_wanted_often(live: Live) -> None:
    _poll_details_every(live, 1 * MINUTE)


def details_are_wanted_as_before(live: Live) -> None:
    _poll_details_every(live, 15 * MINUTE)


def _poll_details_every(live: Live, seconds: float) -> None:
    settings = live.virtual.app.engine.settings
    often = settings.collectors.vms.model_copy(update={"interval_seconds": seconds})
    collectors = settings.collectors.model_copy(update={"vms": often})
    chosen: Settings = settings.model_copy(update={"collectors": collectors})
    live.virtual.read_settings = lambda: chosen
    live.hang_up()


TOO_LARGE = Stage(
    "too large a fleet",
    fleet={
        "clients": [{"name": "only"}],
        "latency": {"authenticated": [0.8, 1.2]},
        "compute": [
            {
                "name": "rented-{n}",
                "count": 5,
                "vms": {"count": 16},
                "rented_by": {"wallet": "renter", "order_id": "order{n}"},
            },
        ],
    },
    settings={"clients": [ONE_AT_A_TIME]},
    cases=(
        Case(
            "DbcExporterFleetTooLarge",
            begin=details_are_wanted_often,
            end=details_are_wanted_as_before,
            labels=({"client": "only", "kind": "list_task"},),
            within=35 * MINUTE,
            ends_within=2 * MINUTE,
        ),
    ),
    ends=70 * MINUTE,
    length=2 * HOUR,
)
