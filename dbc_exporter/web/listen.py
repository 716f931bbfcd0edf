"""Listening sockets from an address as Prometheus' tools write it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

UNIX = "unix://"
_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (asked, not bound)
_FAMILY_MISSING = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
_HIGHEST_PORT = 65535
_ANSWER_SECONDS = 1.0
_SOCKET_MODE = 0o660  # whoever may connect may ask: the user, and the group that the folder gives


class ListenError(Exception):
    """The address cannot be understood or bound; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens over TCP: a numeric host and the real port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, the host in brackets where it is an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> tuple[str, int]:
    """Split `host:port`, `:port` (every address of both families) or `[v6]:port`. Raises ListenError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > _HIGHEST_PORT:
        raise ListenError(f"listen address {text!r}: must be host:port, :port or [IPv6 address]:port")
    return match["bracketed"] or match["plain"] or "", int(match["port"])


def asked_at(text: str) -> tuple[str, int]:
    """Return host and port at which a program on this machine asks whoever listens on a TCP address."""
    host, port = parse_address(text)
    return _ANY.get(host, host), port


async def open_all(texts: Iterable[str]) -> list[socket.socket]:
    """Bind all that these addresses stand for, or nothing. Raises ListenError."""
    with contextlib.ExitStack() as on_failure:
        sockets: list[socket.socket] = []
        for text in texts:
            unix = text.startswith(UNIX)
            opened = [_open_unix(Path(text.removeprefix(UNIX)))] if unix else await open_sockets(text)
            for listener in opened:
                on_failure.enter_context(listener)
                on_failure.callback(remove_file, listener)
            sockets += opened
        on_failure.pop_all()
    return sockets


def remove_file(listener: socket.socket) -> None:
    """Take the file of a listening unix socket away; call it before closing, while nobody else can have replaced it."""
    if listener.family == socket.AF_UNIX:
        Path(listener.getsockname()).unlink(missing_ok=True)


def _open_unix(path: Path) -> socket.socket:
    """Bind a unix socket; one whose server is gone is replaced. Raises ListenError."""
    where = f"listen address {UNIX}{path}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.lexists(path):
            _remove_stale(path)
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)  # before `listen`: nobody can connect until then
    except ListenError as error:
        listener.close()
        raise ListenError(f"{where}: {error}") from None
    except OSError as error:
        listener.close()
        raise ListenError(f"{where}: {error.strerror or error}") from None
    return listener


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ListenError("is there already and no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ListenError("somebody listens there")


async def open_sockets(text: str) -> list[socket.socket]:
    """Bind every TCP address that `text` stands for, all to one port (also where 0 lets the system choose).

    A family that the machine lacks is left out as long as another one works. Raises ListenError.
    """
    host, port = parse_address(text)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ListenError(f"listen address {text!r}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    missing = ""
    with contextlib.ExitStack() as on_failure:
        # IPv4 first: a port chosen by the system is then asked for on the other family too.
        for family, *_, address in sorted(dict.fromkeys(found), key=lambda entry: entry[0] != socket.AF_INET):
            bound_port = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(
                    on_failure.enter_context(_bind(family, (address[0], bound_port, *address[2:])))
                )
            except OSError as error:
                missing = f"listen address {text!r}: {error.strerror}"
                if error.errno not in _FAMILY_MISSING:
                    raise ListenError(missing) from None
        if not sockets:
            raise ListenError(missing)
        on_failure.pop_all()
    return sockets


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
