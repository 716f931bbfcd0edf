"""The envelope of the DBC HTTP API: request bodies, and answers understood as facts or as one failure.

Every answer is `{"errcode": int, "message": ...}`. The HTTP status tells who speaks (200 the node, 400 the client,
500 the client about the node), and only the text tells what is meant: the same errcode covers many things.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec
from pydantic import SecretStr

from dbc_exporter.dbc import checks, failures
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import Authority, ReadCall, WriteCall
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer

T = TypeVar("T")

_OK = 200
_SERVER_ERRORS = range(500, 600)
_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')


def _reveal(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    raise TypeError(type(value).__name__)


_ENCODER = msgspec.json.Encoder(enc_hook=_reveal)
_DECODER = msgspec.json.Decoder()


def request_body(
    call: ReadCall[Any] | WriteCall[Any],
    credential: Credential | None = None,
    rent_order: str | None = None,
    *,
    nonce: str | None = None,
) -> bytes:
    """Build the exact JSON body of a call, empty for the one GET.

    A credential is used only where the call asks for one, each time with a fresh nonce unless one is given. Raises
    `DbcError` (refused_locally, authority) before anything is signed or sent in vain.
    """
    if call.method == "GET":
        return b""
    peers = [] if call.peer is None else [checks.node_id(call.peer)]
    body: dict[str, Any] = {"peer_nodes_list": peers, "additional": call.additional}
    signer = _signer(call.authority, credential)
    if signer is not None:
        if rent_order is not None and call.authority is not Authority.MANAGER:
            body["rent_order"] = checks.rent_order(rent_order)
        body.update(signer.sign(nonce=nonce))
    return _ENCODER.encode(body)


def _signer(needed: Authority, credential: Credential | None) -> Credential | None:
    if needed is Authority.NONE or (needed is Authority.OPTIONAL and credential is None):
        return None
    if credential is None:
        raise DbcError(Reason.AUTHORITY, f"the call needs a credential ({needed.value})")
    if needed not in credential.serves:
        raise DbcError(Reason.AUTHORITY, f"the credential is of the wrong kind (needed: {needed.value})")
    return credential


def understand(call: ReadCall[T] | WriteCall[T], raw: RawAnswer) -> T:
    """Turn an answer into the call's fact, or raise `DbcError` with the reason and what the server said."""
    opened = open_envelope(raw.body)
    if opened is None:
        reason = Reason.SERVER_ERROR if raw.status in _SERVER_ERRORS else Reason.MALFORMED
        raise DbcError(
            reason, f"HTTP {raw.status} with {len(raw.body)} bytes that are no envelope", call.kind
        )
    errcode, message, repeated = opened
    if raw.status != _OK:
        raise failures.of_client(raw.status, _words(message), call.kind)
    if errcode != 0:
        said = _words(message)
        answer = call.read_refusal(said) if call.read_refusal is not None else None
        if answer is None:
            raise failures.of_node(said, call.kind)
        return answer
    if repeated:
        # Free text with quotes in it can add fields of its own to the answer: then nothing in it is certain.
        raise DbcError(Reason.UNPARSABLE, "a field is said twice", call.kind)
    try:
        return call.parse(message)
    except DbcError as error:
        odd = error.reason is Reason.MALFORMED and call.peer is not None
        raise DbcError(Reason.UNREADABLE if odd else error.reason, error.said, call.kind) from None


def _words(message: Any) -> str:
    return message if isinstance(message, str) else ""


def open_envelope(body: bytes) -> tuple[int, Any, bool] | None:
    """Give errcode, message and whether some object says a field twice; `None` for what is no envelope."""
    repeated = False
    try:
        decoded = _DECODER.decode(body)
        careful = body.count(b'":') != _fields(decoded) or _SPACED_COLON.search(body) is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        careful = True
    if careful:
        try:
            decoded, repeated = _decode_carefully(body)
        except (ValueError, RecursionError):
            return None
    if not isinstance(decoded, dict) or "message" not in decoded:
        return None
    errcode = _errcode(decoded.get("errcode"))
    return None if errcode is None else (errcode, decoded["message"], repeated)


def _errcode(value: Any) -> int | None:
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
        value = int(value[:12])
    return value if type(value) is int else None


def _fields(decoded: Any) -> int:
    """Count the fields of all objects; fewer than the text has colons after quotes means one was said twice.

    A colon set apart from its quote would go uncounted and cover for another one.
    """
    number = 0
    rest = [decoded]
    while rest:
        value = rest.pop()
        if type(value) is dict:
            number += len(value)
            rest.extend(value.values())
        elif type(value) is list:
            rest.extend(value)
    return number


def _decode_carefully(body: bytes) -> tuple[Any, bool]:
    """Decode what the fast decoder refused: raw control characters, bytes that are no UTF-8, lone surrogates."""
    repeated = False

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        built = dict(pairs)
        repeated = repeated or len(built) != len(pairs)
        return built

    decoded = json.loads(body.decode("utf-8", "replace"), strict=False, object_pairs_hook=build)
    return decoded, repeated
