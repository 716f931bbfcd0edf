"""`/sd?job=<job>`: lists of targets for Prometheus' HTTP service discovery, made from the inventory.

What is known of a machine is a label `__meta_dbc_…`, gone after relabelling.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from dbc_exporter.web.outside import OUTSIDE
from dbc_exporter.web.respond import respond, text
from dbc_exporter.web.types import Sources, TargetView

ADDRESS_LABEL = "address"
"""The label of the operator's that says where a machine's own exporters listen."""
NODE_EXPORTER_PORT = 9100
SHARD = "{shard}"

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_HIGHEST_PORT = 65535
_PORT = re.compile(r"[0-9]{1,5}")

Group = dict[str, Any]


class QuestionError(Exception):
    """A parameter cannot be understood; the text names it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a list is made of: targets, the path before our own, the number of shards, and the request's parameters."""

    targets: Sequence[TargetView]
    prefix: str
    total_shards: int
    query: Mapping[str, str]


class Discovery:
    """The handler of `/sd`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def handle(self, request: web.Request) -> web.Response:
        """List the targets of a job. Prometheus keeps its last list where the answer is no 200."""
        groups = JOBS.get(request.query.get("job", ""))
        if groups is None:
            return text(400, f"job: must be one of {', '.join(JOBS)}")
        ready = self._sources.ready() if groups is shards else self._sources.listable()
        if not ready.ok:
            return text(503, ready.detail)
        try:
            found = groups(
                Known(
                    self._sources.inventory(),
                    request.app[OUTSIDE].prefix,
                    self._sources.about().total_shards,
                    request.query,
                )
            )
        except QuestionError as error:
            return text(400, str(error))
        return await respond(request, 200, _HEADERS, msgspec.json.encode(found))


def probes(known: Known) -> list[Group]:
    """List every target for jobs that scrape `/probe`: its address is its id, to be replaced by the exporter's."""
    return [
        {
            "targets": [target.id],
            "labels": {
                "__metrics_path__": f"{known.prefix}/probe",
                "__param_target": target.id,
                "instance": target.id,
                **_meta(target),
            },
        }
        for target in known.targets
    ]


def node_exporters(known: Known) -> list[Group]:
    """List machines by the address that the operator's label gives, for jobs that ask the machine itself.

    Parameter `port`: of addresses without one.
    """
    port = known.query.get("port", str(NODE_EXPORTER_PORT))
    if not (_PORT.fullmatch(port) and 0 < int(port) <= _HIGHEST_PORT):
        raise QuestionError("port: must be a number from 1 to 65535")
    return [
        {"targets": [_with_port(address, port)], "labels": {"node_id": target.id, **_meta(target)}}
        for target in known.targets
        if (address := target.labels.get(ADDRESS_LABEL))
    ]


def shards(known: Known) -> list[Group]:
    """List every shard's exporter. Parameter `address`: theirs, with `{shard}` where the shard's number stands."""
    address = known.query.get("address", "")
    if SHARD not in address:
        raise QuestionError(f"address: must be that of a shard, with {SHARD} in the place of its number")
    return [
        {
            "targets": [address.replace(SHARD, str(shard))],
            "labels": {
                "__meta_dbc_shard": str(shard),
                "__meta_dbc_total_shards": str(known.total_shards),
            },
        }
        for shard in range(known.total_shards)
    ]


JOBS: Mapping[str, Callable[[Known], list[Group]]] = {
    "probe": probes,
    "node_exporter": node_exporters,
    "shard": shards,
}


def _meta(target: TargetView) -> dict[str, str]:
    given = {"node_id": target.id, "kind": target.kind, "name": target.name, "manager_id": target.manager}
    labels = {f"label_{name}": value for name, value in target.labels.items()}
    # a name may hold a lone surrogate, which JSON's UTF-8 cannot write
    return {
        f"__meta_dbc_{name}": value.encode("utf-8", "replace").decode()
        for name, value in (given | labels).items()
        if value
    }


def _with_port(address: str, port: str) -> str:
    try:
        bare = ipaddress.ip_address(address)
    except ValueError:
        return address if ":" in address else f"{address}:{port}"
    return f"[{bare}]:{port}" if bare.version == 6 else f"{bare}:{port}"  # noqa: PLR2004 (IPv6)
