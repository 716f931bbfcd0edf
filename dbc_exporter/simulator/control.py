"""The control port: what the simulated world looks like from outside the simulation, and a way to make trouble."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dbc_exporter.simulator import faults
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.scenario import FaultEntry
from dbc_exporter.simulator.scenario_file import describe, line_problems
from dbc_exporter.simulator.state import ledger_summary, state

FLEET = web.AppKey("fleet", Fleet)
PORTS: web.AppKey[Mapping[str, Any]] = web.AppKey("ports", dict)
"""Where things listen: `clients` (name to URL) and `vms` (task id to TCP port)."""


class TimeChange(BaseModel):
    """What POST /time takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    time_factor: float = Field(gt=0, le=100)


def control_app(fleet: Fleet, ports: Mapping[str, Any]) -> web.Application:
    """Return the control port's application."""
    app = web.Application()
    app[FLEET] = fleet
    app[PORTS] = ports
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/ledger", _ledger),
            web.get("/faults", _known_faults),
            web.post("/faults", _inject),
            web.post("/time", _time),
        ]
    )
    return app


async def _state(request: web.Request) -> web.Response:
    return web.json_response(state(request.app[FLEET], request.app[PORTS]))


async def _ledger(request: web.Request) -> web.Response:
    return web.json_response(ledger_summary(request.app[FLEET].world.ledger))


async def _known_faults(_request: web.Request) -> web.Response:
    return web.json_response(
        {
            kind.name: {
                "hits": kind.hits,
                "help": kind.help,
                "recovers": kind.recovers,
                "parameters": sorted(kind.parameters.model_fields),
            }
            for kind in faults.FAULTS.values()
        }
    )


async def _inject(request: web.Request) -> web.Response:
    """Let a line of a timeline happen, now or at its `at`."""
    try:
        entry = FaultEntry.model_validate(await request.json())
    except json.JSONDecodeError as error:
        return _refused([f"no valid JSON: {error}"])
    except ValidationError as error:
        return _refused(describe(error))
    fleet = request.app[FLEET]
    wrong = line_problems(fleet.scenario, entry)
    if wrong:
        return _refused(wrong)
    if entry.at > 0:
        fleet.timeline.run(entry)
        return web.json_response({"scheduled_in_seconds": entry.at})
    return web.json_response({"hit": [member.name for member in fleet.inject(entry)]})


async def _time(request: web.Request) -> web.Response:
    """Change the time factor of everything slow that begins from now on."""
    try:
        change = TimeChange.model_validate_json(await request.read())
    except ValidationError as error:
        return _refused(describe(error))
    request.app[FLEET].world.time_factor = change.time_factor
    return web.json_response({"time_factor": change.time_factor})


def _refused(problems: list[str]) -> web.Response:
    return web.json_response({"errors": problems}, status=400)
