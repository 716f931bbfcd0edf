"""Names that one part of the settings gives and another uses."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dbc_exporter.config.problems import Problem
from dbc_exporter.targets import Kind, Target


@dataclass(frozen=True, slots=True)
class Names:
    """What targets may refer to: credentials (name to type; None when unknown) and DBC clients.

    `sharded` where several exporters share the targets, each with clients of its own.
    """

    credentials: Mapping[str, str | None] = field(default_factory=dict)
    clients: Collection[str] = ()
    sharded: bool = False


def check_target(target: Target, names: Names) -> Iterator[Problem]:
    """Yield what is wrong with a target's names; paths are relative to its record."""
    for index, client in enumerate(target.clients):
        if client not in names.clients:
            yield Problem(
                ("clients", index), f"names no DBC client; {_choice(client, names.clients, 'clients')}"
            )
    if target.credential is not None:
        yield from check_credential(target.credential, target.kind, names)
    if names.sharded:
        yield from _check_in_shards(target)


def _check_in_shards(target: Target) -> Iterator[Problem]:
    if target.clients:
        yield Problem(("clients",), "cannot be chosen: its shard has clients of its own; remove it")
    if target.unmanaged and target.credential is None:
        yield Problem(
            ("manager",), "is missing; add it, because a server belongs to the shard of its manager"
        )


def check_credential(credential: str, kind: Kind, names: Names) -> Iterator[Problem]:
    """Yield what is wrong with naming this credential for a target of this kind."""
    if credential not in names.credentials:
        choice = _choice(credential, names.credentials, "credentials")
        yield Problem(("credential",), f"names no credential; {choice}")
        return
    given = names.credentials[credential]
    if given is not None and (given == "manager") != (kind is Kind.MANAGER):
        wanted = "type manager" if kind is Kind.MANAGER else "type wallet, multisig or session"
        yield Problem(
            ("credential",), f"is of type {given}, which a {kind} target cannot use; name one of {wanted}"
        )


def _choice(given: str, known: Collection[str], section: str) -> str:
    close = difflib.get_close_matches(given, list(known), n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(sorted(known))}" if known else f"add it under `{section}` or remove it here"
