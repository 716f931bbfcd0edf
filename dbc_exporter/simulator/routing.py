"""Which endpoint a request target means: by prefix, without decoding, as the server does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from dbc_exporter.simulator import local, replies, steps
from dbc_exporter.simulator.protocol import Response
from dbc_exporter.simulator.steps import Step, credentials, parameters, peer

BASE = "/api/v1"
Local = Callable[[steps.Call], Response | None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its checks in order, an answer from memory where there is one, else the kind it is forwarded as.

    `timer` names the timeout handler that all requests of this endpoint share.
    """

    kind: str
    timer: str
    checks: tuple[Step, ...]
    early: tuple[Step, ...] = ()
    local: Local | None = None
    parse_error: str = "response parse error"


@dataclass(frozen=True, slots=True)
class Route:
    """What a target leads to: an endpoint, or an answer whatever the body says."""

    segments: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    answer: Response | None = None
    version: bool = False


_ANY = credentials("wallet_sign and multisig_wallets all invalid")
_ANY_TOO = credentials("session_id and wallet all invalid")
_REQ = parameters("parse req params failed: ")
_REQUEST = parameters("parse request params failed: ")
_PLAIN = (parameters(), peer, _ANY)
_IMAGE = (_REQUEST, peer, _ANY_TOO)
_MANAGE = (parameters(), steps.manager_signature, steps.not_here, peer)


def _endpoint(
    kind: str, *checks: Step, timer: str = "", early: tuple[Step, ...] = (), at: Local | None = None
) -> Endpoint:
    parse_error = "http response parse error" if checks and checks[0] is _REQUEST else "response parse error"
    return Endpoint(kind, timer or kind, checks, early, at, parse_error)


def _verb(kind: str, timer: str = "") -> Endpoint:
    return _endpoint(kind, *_PLAIN, timer=timer)


TASK_VERBS = {
    "start": _verb("start task"),
    "restart": _verb("restart task"),
    "shutdown": _verb("shutdown task"),
    "poweroff": _verb("stop task", "poweroff task"),
    "stop": _verb("stop task"),
    "reset": _verb("reset task"),
    "delete": _verb("delete task"),
    "modify": _verb("modify task"),
    "passwd": _verb("set task user password"),
    "logs": _endpoint("task logs", *_PLAIN, early=(steps.log_lines,)),
}
TASK_LIST = _verb("list task")
TASK_CREATE = _endpoint("create task", parameters(), peer, _ANY_TOO)

IMAGE_CALLS = {
    "": _endpoint("list images", _REQUEST, at=local.centre_images),
    "servers": _endpoint("list image servers", at=local.image_servers),
    "download": _endpoint("download image", _REQUEST, peer, steps.known_image_server, _ANY_TOO),
    "downloadprogress": _endpoint("query download image progress", *_IMAGE),
    "download_stop": _endpoint("download image", *_IMAGE, timer="stop download image"),
    "upload": _endpoint("upload image", _REQUEST, steps.known_image_server, at=local.upload),
    "uploadprogress": _endpoint("query upload image progress", _REQUEST, at=local.upload_progress),
    "upload_stop": _endpoint("upload image", _REQUEST, timer="stop upload image", at=local.upload_stop),
    "delete": _endpoint("upload image", *_IMAGE, timer="delete image"),
}
DISK_CALLS = {verb: _endpoint(f"{verb} disk", *_IMAGE) for verb in ("list", "resize", "add", "delete")}
SNAPSHOT_CALLS = {
    "list": _verb("list snapshot"),
    "create": _endpoint("create snapshot", parameters(), peer, steps.known_image_server, _ANY),
    "delete": _verb("delete snapshot"),
}
_SNAPSHOT_USAGE = {
    "list": "invalid uri, please use /snapshot/list/<task_id>[/snapshot_name]",
    "create": "invalid uri, please use: /snapshot/<task_id>/create",
    "delete": "invalid uri, please use /snapshot/<task_id>/delete/<snapshot_name>",
}
MINING_CALLS = {
    "": _endpoint("query node info", _REQ, at=local.mining_nodes),
    "session_id": _endpoint("get session_id", parameters(), peer, steps.no_session),
    "free_memory": _endpoint("free memory", *_PLAIN),
}
RENT_ORDERS = _endpoint("query node rent orders", _REQ, peer)
PEERS = _endpoint("peers", at=local.peers)
MONITOR_LIST, MONITOR_SET = _verb("list monitor server"), _verb("set monitor server")
LAN_LIST = _endpoint("list local area network", _REQ, at=local.networks)
LAN_CREATE = _endpoint("create local area network", *_PLAIN)
LAN_DELETE = _endpoint("delete local area network", parameters(), peer)
BARE_METAL_LIST = _endpoint("list bare metal", _REQ, at=local.bare_metal)
BARE_METAL_CALLS = {
    "add": _endpoint("add bare metal", *_MANAGE),
    "delete": _endpoint("delete bare metal", *_MANAGE),
    "power": _endpoint(
        "bare metal power", *_PLAIN, steps.choice("command", frozenset({"status", "on", "off", "reset"}))
    ),
    "bootdev": _endpoint(
        "bare metal bootdev",
        *_PLAIN,
        steps.choice("device", frozenset({"none", "pxe", "cdrom", "disk", "bios"})),
    ),
}
BARE_METAL_MODIFY = _endpoint("modify bare metal", *_MANAGE)
DEEPLINK_LIST = _endpoint("list bare metal", _REQ, peer, _ANY, timer="list deeplink")
DEEPLINK_SET = _endpoint("list bare metal", steps.device_info, _REQ, peer, _ANY, timer="set deeplink")

Found = Endpoint | Response
_Segments = tuple[str, ...]


def _tasks(rest: _Segments) -> Found:
    if len(rest) <= 1:
        return TASK_CREATE if rest == ("start",) else TASK_LIST
    if len(rest) == 2:  # noqa: PLR2004 - /tasks/<verb>/<id>
        return TASK_VERBS.get(rest[0], replies.UNHANDLED)
    return replies.INVALID_URI


def _by_word(calls: dict[str, Endpoint], length: int = 1) -> Callable[[_Segments], Found]:
    def find(rest: _Segments) -> Found:
        if not rest and "" in calls:
            return calls[""]
        found = calls.get(rest[0]) if len(rest) == length else None
        return found or replies.INVALID_URI

    return find


def _snapshots(rest: _Segments) -> Found:
    if not 1 <= len(rest) <= 3 or rest[0] not in SNAPSHOT_CALLS:  # noqa: PLR2004 - the server's own bound
        return replies.error(replies.BAD_REQUEST, replies.INVALID_REQUEST, "invalid uri")
    fits = {"list": len(rest) >= 2, "create": len(rest) == 2, "delete": len(rest) == 3}[rest[0]]  # noqa: PLR2004 - verb, task, name
    return SNAPSHOT_CALLS[rest[0]] if fits else replies.invalid(_SNAPSHOT_USAGE[rest[0]])


def _lan(rest: _Segments) -> Found:
    if len(rest) <= 1:
        return LAN_CREATE if rest == ("create",) else LAN_LIST
    if len(rest) == 2:  # noqa: PLR2004 - /lan/delete/<name>
        return LAN_DELETE if rest[0] == "delete" else replies.UNHANDLED
    return replies.INVALID_URI


def _monitor(rest: _Segments) -> Found:
    if len(rest) > 1:
        return replies.INVALID_URI
    return MONITOR_SET if rest == ("set",) else MONITOR_LIST


def _bare_metal(rest: _Segments) -> Found:
    if len(rest) <= 1:
        return BARE_METAL_CALLS.get(rest[0], BARE_METAL_LIST) if rest else BARE_METAL_LIST
    return BARE_METAL_MODIFY if len(rest) == 2 and rest[0] == "modify" else replies.INVALID_URI  # noqa: PLR2004 - modify/<id>


def _deeplink(rest: _Segments) -> Found:
    if not rest:
        return DEEPLINK_LIST
    return DEEPLINK_SET if rest == ("set",) else replies.INVALID_URI


PREFIXES: tuple[tuple[str, Callable[[_Segments], Found]], ...] = (
    ("tasks", _tasks),
    ("images", _by_word(IMAGE_CALLS)),
    ("snapshot", _snapshots),
    ("disk", _by_word(DISK_CALLS, 2)),
    ("mining_nodes", _by_word(MINING_CALLS)),
    ("peers", lambda rest: PEERS if len(rest) == 1 else replies.INVALID_URI),
    ("stat", lambda _rest: replies.UNHANDLED),
    ("config", lambda _rest: replies.UNHANDLED),
    ("monitor", _monitor),
    ("lan", _lan),
    ("bare_metal", _bare_metal),
    ("deeplink", _deeplink),
    ("rent_orders", lambda rest: RENT_ORDERS if len(rest) <= 1 else replies.INVALID_URI),
)


@lru_cache(maxsize=16384)
def find(target: str) -> Route:
    """Return what a raw request target leads to."""
    if not target.startswith(BASE):
        text = f"request uri is invalid, uri:{target}"
        return Route(answer=replies.error(replies.BAD_REQUEST, replies.INVALID_REQUEST, text))
    if target == f"{BASE}/":
        return Route(version=True)
    below = target[len(BASE) + 1 :] if target.startswith(f"{BASE}/") else ""
    for prefix, choose in PREFIXES:
        if below.startswith(prefix):
            path, _, query = below[len(prefix) :].partition("?")
            rest = _split(path)
            found = choose(rest)
            if isinstance(found, Response):
                return Route(answer=found)
            return Route((prefix, *rest), _pairs(query), found)
    text = f"not support uri:{target}"
    return Route(answer=replies.error(replies.NOT_FOUND, replies.METHOD_NOT_FOUND, text))


def _split(path: str) -> tuple[str, ...]:
    parts = path.removeprefix("/").split("/")
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _pairs(query: str) -> dict[str, str]:
    pairs = (item.split("=") for item in query.split("&"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}  # noqa: PLR2004 - key and value
