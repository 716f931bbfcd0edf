"""What a call to a DBC client is: plain data, built by `reads` and `writes`, sent by somebody else.

Reads and writes are two unrelated types, so a function that takes a `ReadCall` can never be handed anything that
changes a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Authority(StrEnum):
    """Who must have signed a call."""

    NONE = "none"  # nobody; credentials are never sent along
    OPTIONAL = "optional"  # a renter's credential adds to the answer
    RENTER = "renter"  # wallet, multisig or session of a running order
    WALLET = "wallet"  # wallet or multisig only
    MANAGER = "manager"  # the key of a bare-metal manager


UNSIGNED = frozenset({Authority.NONE, Authority.OPTIONAL})
"""What is asked without a signature: a renter's would add only the renter's own files to a public list."""


@dataclass(frozen=True, slots=True)
class ReadCall(Generic[T_co]):
    """A call that changes nothing.

    `kind` is the server's name for the request, the text before " timeout"; empty where the client answers from its
    own memory. `path` starts with `/api/v1`. `peer` is the addressed node's id, or `None` for the client itself.
    `additional` is the body's object of parameters; `SecretStr` values in it are revealed only while encoding.
    `parse` turns the answer's `message` into a fact and raises `DbcError` (malformed, bmc). `read_refusal` recognises
    refusals of the node that are an answer all the same, and gives `None` for every other one.
    """

    kind: str
    path: str
    peer: str | None
    additional: Mapping[str, Any] = field(repr=False)
    authority: Authority
    parse: Callable[[Any], T_co] = field(repr=False)
    method: str = "POST"
    read_refusal: Callable[[str], T_co | None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WriteCall(Generic[T_co]):
    """A call that changes a node, a VM or a server. Its fields mean what those of `ReadCall` mean.

    Its answer tells that the order was taken, not that it was carried out; and no answer tells nothing.
    """

    kind: str
    path: str
    peer: str | None
    additional: Mapping[str, Any] = field(repr=False)
    authority: Authority
    parse: Callable[[Any], T_co] = field(repr=False)
    method: str = "POST"
    read_refusal: Callable[[str], T_co | None] | None = field(default=None, repr=False)
