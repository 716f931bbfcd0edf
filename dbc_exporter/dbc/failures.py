"""Which failure a server's text means. The texts are DBC's own; unknown text falls back to who said it."""

from __future__ import annotations

import re

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.redact import quote

_SERVER_ERRORS = range(500, 600)
_BARE_METAL_KINDS = frozenset({"bare metal power", "bare metal bootdev"})

_CLIENT_TEXTS = {
    "create node request failed": Reason.UNKNOWN_NODE,
    "create request session failed": Reason.WEDGED,
    "broadcast request failed": Reason.ISOLATED,
    "add timer failed": Reason.SERVER_ERROR,
    "session_id and wallet all invalid": Reason.AUTHORITY,
    "wallet_sign and multisig_wallets all invalid": Reason.AUTHORITY,
    "invalid wallet sign": Reason.AUTHORITY,
    "network name not exist": Reason.NOT_FOUND,
}
_UNPARSABLE = frozenset({"response parse error", "http response parse error"})

_AUTHORITY = re.compile(r"check authority failed\b|verify sign failed$|no session id$")
_NOT_FOUND = re.compile(
    r"(?:task_id|task|task log|snapshot_name|network name|node id) not exist(?:ed)?$"
    r"|image:\S+ not exist$|image file:\S+ is not exist$|'image_name' is not exist\b"
    r"|bare metal node id \S+ not existed$|get bare metal node info failed$|task have no disk:\S+$"
)
_SNAPSHOT_NOT_FOUND = re.compile(r"\S+ not exist$")
_BMC = re.compile(
    r"\berror:|lan session|\bipmi|rmcp|chassis power|smyoo|cybercafe|unsupported command$|unknown situation$",
    re.IGNORECASE,
)


def of_client(status: int, said: str, kind: str) -> DbcError:
    """Classify an answer with an HTTP status other than 200: the client itself speaks."""
    return DbcError(_client_reason(status, said), quote(said), kind)


def _client_reason(status: int, said: str) -> Reason:
    if status in _SERVER_ERRORS:
        if said.endswith(" timeout"):
            return Reason.NODE_TIMEOUT
        return Reason.UNPARSABLE if said in _UNPARSABLE else Reason.SERVER_ERROR
    if status in {400, 404, 405}:
        return _CLIENT_TEXTS.get(said, Reason.REFUSED_LOCALLY)
    return Reason.MALFORMED


def of_node(said: str, kind: str) -> DbcError:
    """Classify a refusal with HTTP 200 and an errcode: the addressed node speaks."""
    return DbcError(_node_reason(said, kind), quote(said), kind)


def _node_reason(said: str, kind: str) -> Reason:
    if _AUTHORITY.match(said):
        return Reason.AUTHORITY
    if kind in _BARE_METAL_KINDS and _BMC.search(said):
        return Reason.BMC
    if _NOT_FOUND.match(said) or (kind.endswith("snapshot") and _SNAPSHOT_NOT_FOUND.match(said)):
        return Reason.NOT_FOUND
    return Reason.REFUSED_BY_NODE
