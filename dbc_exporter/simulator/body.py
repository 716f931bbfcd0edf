"""Reading a request's JSON body as the client node does, with its texts for what it does not like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dbc_exporter.simulator import rapidjson
from dbc_exporter.simulator.protocol import Response
from dbc_exporter.simulator.replies import EMPTY_BODY, invalid


class Assertion(Exception):  # noqa: N818 - an event in the simulated process
    """The input trips an assertion of the server: its process dies."""


STRING_FIELDS = ("wallet", "nonce", "sign")
SESSION_FIELDS = ("session_id", "session_id_sign", "rent_order")


def parse(raw: bytes) -> dict[str, Any] | Response:
    """Return the body's object, or the refusal. Raises Assertion for a nesting that overflows the stack."""
    if not raw:
        return EMPTY_BODY
    raw = raw.partition(b"\0")[0]  # a C string to the server's parser
    try:
        document = json.loads(
            raw.decode("utf-8", "surrogateescape"), object_pairs_hook=_first_wins, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return _refused(raw)
    return document if isinstance(document, dict) else invalid("invalid json")


def _refused(raw: bytes) -> Response:
    try:
        complaint = rapidjson.complaint(raw)
    except rapidjson.StackOverflow:
        raise Assertion("stack overflow") from None
    return invalid(f"json parse error: {complaint}" if complaint else "invalid json")


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def parameter_error(body: Mapping[str, Any]) -> str | None:
    """Return the server's text for the first wrong common parameter. Raises Assertion."""
    peers = body.get("peer_nodes_list")
    if not isinstance(peers, list):
        return "peer_nodes_list is not array" if "peer_nodes_list" in body else "has no peer_nodes_list"
    if peers and not isinstance(peers[0], str):
        raise Assertion("peer_nodes_list")
    if not isinstance(body.get("additional"), dict):
        return "additional is not object" if "additional" in body else "has no additional"
    if len(body) == 2:  # noqa: PLR2004 - the two just checked: the usual public request
        return None
    return (
        _not_string(body, STRING_FIELDS)
        or ("multisig_accounts" in body and _multisig_error(body["multisig_accounts"]))
        or _not_string(body, SESSION_FIELDS)
        or None
    )


def _not_string(body: Mapping[str, Any], fields: tuple[str, ...]) -> str | None:
    for field in fields:
        if field in body and not isinstance(body[field], str):
            return f"{field} is not string"
    return None


def _multisig_error(accounts: Any) -> str | None:
    if not isinstance(accounts, dict):
        return "multisig_accounts is not object"
    for member, wanted, name in (
        ("wallets", list, "array"),
        ("threshold", str, "string"),
        ("signs", list, "array"),
    ):
        if member not in accounts:
            return f"multisig_accounts has no member {member}"
        if not isinstance(accounts[member], wanted):
            return f"multisig_accounts member {member} is not {name}"
        if member == "wallets" and not all(isinstance(wallet, str) for wallet in accounts[member]):
            raise Assertion("multisig wallets")
    for item in accounts["signs"]:
        if not isinstance(item, dict) or not all(
            isinstance(item.get(key), str) for key in ("wallet", "nonce", "sign")
        ):
            raise Assertion("multisig signs")
    return None


def peer_id(body: Mapping[str, Any]) -> str:
    """Return the only node id the server looks at, `""` where there is none."""
    peers = body["peer_nodes_list"]
    return peers[0] if peers else ""


def has_session(body: Mapping[str, Any]) -> bool:
    """Say whether both session fields are filled."""
    return bool(body.get("session_id") and body.get("session_id_sign"))


def has_wallet(body: Mapping[str, Any]) -> bool:
    """Say whether all three wallet fields are filled."""
    return bool(body.get("wallet") and body.get("nonce") and body.get("sign"))


def has_multisig(body: Mapping[str, Any]) -> bool:
    """Say whether the multisig account is complete enough to be forwarded."""
    account = body.get("multisig_accounts")
    if not account:
        return False
    wallets, signs = account["wallets"], account["signs"]
    threshold = leading_int(account["threshold"])
    if threshold > len(wallets) or threshold > len(signs):
        return False
    return all(item["wallet"] in wallets and item["nonce"] and item["sign"] for item in signs)


def leading_int(text: str) -> int:
    """Return what C's `atoi` reads at the start of a text, 0 where it reads nothing."""
    text = text.lstrip()
    end = 1 if text[:1] in ("-", "+") else 0
    while end < len(text) and text[end].isdigit() and text[end].isascii():
        end += 1
    try:
        return int(text[:end])
    except ValueError:
        return 0
