"""The checks a client node makes before it forwards a request, each a step of an endpoint's list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator import body as bodies
from dbc_exporter.simulator import replies
from dbc_exporter.simulator.protocol import Response

if TYPE_CHECKING:
    from dbc_exporter.simulator.client import ClientNode

MAX_LOG_LINES = 100


@dataclass(slots=True)
class Call:
    """One HTTP request on its way through the checks; `body` is filled after the early ones."""

    client: ClientNode
    segments: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def image_server(self) -> str:
        """The image centre's id in `additional`, `""` where it is absent or no string."""
        found = self.body["additional"].get("image_server")
        return found if isinstance(found, str) else ""


Step = Callable[[Call], Response | None]


def parameters(prefix: str = "") -> Step:
    """Check the common fields; some endpoints put words before the complaint."""

    def check(call: Call) -> Response | None:
        complaint = bodies.parameter_error(call.body)
        return replies.invalid(prefix + complaint) if complaint else None

    return check


def peer(call: Call) -> Response | None:
    """Want a node id."""
    return None if bodies.peer_id(call.body) else replies.NO_PEER_ID


def credentials(text: str) -> Step:
    """Want a session, a wallet's signature or a multisig account."""
    refusal = replies.invalid(text)

    def check(call: Call) -> Response | None:
        body = call.body
        given = bodies.has_session(body) or bodies.has_wallet(body) or bodies.has_multisig(body)
        return None if given else refusal

    return check


def no_session(call: Call) -> Response | None:
    """Want a wallet's signature or a multisig account; sessions do not count."""
    if bodies.has_wallet(call.body) or bodies.has_multisig(call.body):
        return None
    return replies.invalid("wallet_sign and multisig_wallets all invalid")


def manager_signature(call: Call) -> Response | None:
    """Want the three fields of a manager's own signature."""
    return None if bodies.has_wallet(call.body) else replies.invalid("invalid wallet sign")


def not_here(call: Call) -> Response | None:
    """Refuse management calls that name no manager: a client node owns no servers."""
    peers = call.body["peer_nodes_list"]
    if not peers or peers[0] == call.client.node_id:
        return replies.error(replies.BAD_REQUEST, replies.INVALID_REQUEST, "only bare metal node support")
    return None


def known_image_server(call: Call) -> Response | None:
    """Want the id of an image centre this client knows."""
    return None if call.image_server in call.client.world.image_servers else replies.NO_IMAGE_SERVER


def image_server_if_given(call: Call) -> Response | None:
    """Refuse an unknown image centre, but do without one."""
    return known_image_server(call) if call.image_server else None


def choice(member: str, allowed: frozenset[str]) -> Step:
    """Want one of the allowed words in `additional`."""

    def check(call: Call) -> Response | None:
        additional = call.body["additional"]
        if member not in additional:
            return replies.invalid(f"parse json additional {member} failed")
        if not isinstance(additional[member], str):
            return replies.invalid(f"additional {member} must be a string")
        return None if additional[member] in allowed else replies.invalid(f"invalid {member}")

    return check


def device_info(call: Call) -> Response | None:
    """Want a deeplink device id or password; made before the common fields are looked at, so it can assert."""
    if "additional" not in call.body:
        raise bodies.Assertion("additional")
    additional = call.body["additional"]
    if not isinstance(additional, dict):
        return replies.invalid("parse json additional failed")
    for member in ("device_id", "device_password"):
        if member in additional and not isinstance(additional[member], str):
            return replies.invalid(f"additional {member.replace('_', ' ')} must be a string")
    if not {"device_id", "device_password"} & additional.keys():
        return replies.invalid("invalid device info")
    return None


def log_lines(call: Call) -> Response | None:
    """Read `flag` and `line_num`; leaves both in the query in the form the node gets."""
    flag, lines = call.query.get("flag", ""), call.query.get("line_num", "")
    if not flag:
        flag, lines = "tail", "100"
    elif flag not in ("head", "tail"):
        return replies.invalid('head_or_tail is invalid"')
    number = bodies.leading_int(lines or "100")
    if number <= 0:
        return replies.invalid("invalid line num")
    number = MAX_LOG_LINES - 1 if number > MAX_LOG_LINES else number
    call.query = {"flag": flag, "line_num": str(number)}
    return None


def enough_segments(count: int, usage: str) -> Step:
    """Want at least so many path segments."""

    def check(call: Call) -> Response | None:
        return None if len(call.segments) >= count else replies.invalid(f"invalid uri, please use {usage}")

    return check
