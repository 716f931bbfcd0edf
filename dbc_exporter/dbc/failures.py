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
_KEPT = frozenset({Reason.UNKNOWN_NODE, Reason.WEDGED, Reason.ISOLATED, Reason.AUTHORITY})
_UNPARSABLE = frozenset({"response parse error", "http response parse error"})

_REFUSED_CALLER = "check authority failed: "
_NOT_RENTED = frozenset({"machine is not be rented", "wallet not rented", "machine has already expired"})
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


# -- what a failure tells somebody who must know whether a request took effect


def kept_by_client(error: DbcError) -> bool:
    """Tell whether the client itself says that it did not pass the request on: no node ever sees it, or its nonce.

    A client in trouble meanwhile (`DbcClient` concludes that from a silence) has said nothing of the kind.
    """
    if not error.sent:
        return False
    told = error.reason in _KEPT and _CLIENT_TEXTS.get(error.said) is error.reason
    return told or error.reason is Reason.REFUSED_LOCALLY


def nonce_refused(error: DbcError) -> bool:
    """Tell whether a node refused the nonce: it has seen it since its process started, or the signature is bad."""
    return _authority_said(error) == "nonce check failed"


def chain_silent(error: DbcError) -> bool:
    """Tell whether a node got no usable status of the machine from the chain: whether the nonce was seen is open.

    The chain did not answer, does not know the machine, or holds it for reported.
    """
    return _authority_said(error) == "query machine_status failed"


def not_rented(error: DbcError) -> bool:
    """Tell whether a node says that the caller's order does not run: the machine is not rented, or to somebody else."""
    return _authority_said(error) in _NOT_RENTED


def _authority_said(error: DbcError) -> str:
    """Give what follows "check authority failed: ", nothing where a node did not say that."""
    if error.reason is not Reason.AUTHORITY or not error.said.startswith(_REFUSED_CALLER):
        return ""
    return error.said.removeprefix(_REFUSED_CALLER)
