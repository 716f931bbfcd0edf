"""What we refuse to send.

The server silently misreads or dies of bad input, pastes free text into JSON unescaped and hands some values to a
shell. Every check gives the value back or raises `DbcError` (refused_locally); values are never quoted.
"""

from __future__ import annotations

import ipaddress
import re

from pydantic import SecretStr

from dbc_exporter.dbc.errors import DbcError, Reason

_NODE_ID = re.compile(r"[0-9a-f]{64}")
_TASK_ID = re.compile(r"[0-9A-Za-z_]{1,64}")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NETWORK = re.compile(r"[0-9A-Za-z]{6,10}")
_DIRECTORY = re.compile(r"(?:/[0-9A-Za-z_-][0-9A-Za-z._-]*)+")
_ORDER = re.compile(r"[0-9A-Za-z]{1,64}")
_SHELL_SAFE = re.compile(r"[0-9A-Za-z._@%+=:,/-]{1,128}")
_RULE = re.compile(r"[0-9A-Za-z.,:/-]{1,128}")

# Words that mean something else at the place of an id: a task called "start" would be created, not read.
_TASK_VERBS = frozenset(
    {"start", "shutdown", "poweroff", "stop", "restart", "reset", "delete", "modify", "passwd", "logs"}
)
_SERVER_VERBS = frozenset({"add", "delete", "modify", "power", "bootdev"})
_TEXT_LIMIT = 255


def refused(what: str) -> DbcError:
    """Build the error for a call that is not worth sending."""
    return DbcError(Reason.REFUSED_LOCALLY, what, sent=False)


def _matching(value: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise refused(what)
    return value


def node_id(value: str) -> str:
    """Check a node id; the server knows no other spelling and dies of anything that is no text."""
    return _matching(value, _NODE_ID, "a node id is 64 lower-case hex digits")


def task_id(value: str) -> str:
    """Check a task id: an empty one would create a VM."""
    _matching(value, _TASK_ID, "a task id is 1 to 64 letters, digits or _")
    if value.lower() in _TASK_VERBS:
        raise refused("a task id must not be one of the server's verbs")
    return value


def file_name(value: str) -> str:
    """Check an image's file name; it becomes part of a path and of an rsync command."""
    return _matching(
        value, _NAME, "a file name is letters, digits, . _ or -, and starts with a letter or digit"
    )


def name(value: str, what: str) -> str:
    """Check a name that becomes part of a path: a snapshot, disk or image centre."""
    return _matching(value, _NAME, f"{what} is letters, digits, . _ or -, and starts with a letter or digit")


def server_id(value: str) -> str:
    """Check a bare-metal server's node id or uuid."""
    _matching(value, _UUID, "a server is named by its node id or by its uuid of letters, digits and -")
    if value.lower() in _SERVER_VERBS:
        raise refused("a uuid must not be one of the server's verbs")
    return value


def network_name(value: str) -> str:
    """Check a LAN's name."""
    return _matching(value, _NETWORK, "a network name is 6 to 10 letters or digits")


def directory(value: str) -> str:
    """Check an absolute directory on a node."""
    return _matching(value, _DIRECTORY, "a directory is absolute, of letters, digits, . _ and -")


def rent_order(value: str) -> str:
    """Check a rent order: its number, or the renter's wallet for a whole machine."""
    return _matching(value, _ORDER, "a rent order is 1 to 64 letters or digits")


def rule(value: str, what: str) -> str:
    """Check a port mapping, network filter or multicast address."""
    return _matching(value, _RULE, f"{what} holds letters, digits and . , : / - only")


def shell_safe(value: str, what: str) -> str:
    """Check a value that the manager puts into a shell command without quotes."""
    return _matching(value, _SHELL_SAFE, f"{what} is 1 to 128 letters, digits or . _ @ % + = : , / -")


def secret_shell_safe(value: SecretStr, what: str) -> SecretStr:
    """Check a secret that the manager puts into a shell command without quotes."""
    shell_safe(value.get_secret_value(), what)
    return value


def plain_text(value: str, what: str) -> str:
    """Check free text; a quote or backslash in it would hide every list it is part of."""
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT or not value.isprintable():
        raise refused(f"{what} is at most {_TEXT_LIMIT} printable characters")
    if '"' in value or "\\" in value:
        raise refused(f"{what} must not hold a quote or a backslash")
    return value


def between(value: int, low: int, high: int, what: str) -> int:
    """Check a whole number in a closed range; the server takes a text for no number at all, or for any."""
    if type(value) is not int or not low <= value <= high:
        raise refused(f"{what} is a whole number from {low} to {high}")
    return value


def one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    """Check a word out of a closed set."""
    if value not in allowed:
        raise refused(f"{what} is one of {', '.join(allowed)}")
    return value


def ipv4(value: str, what: str) -> str:
    """Check an IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise refused(f"{what} is an IPv4 address") from None


def endpoint(value: str, what: str) -> str:
    """Check an IPv4 address with a port; a DNS name that fails to resolve ends the node's process."""
    host, _, port = value.partition(":")
    if not port.isascii() or not port.isdigit() or port.startswith("0"):
        raise refused(f"{what} is an IPv4 address and a port")
    between(int(port[:6]), 1, 65535, f"the port of {what}")
    return f"{ipv4(host, what)}:{port}"


def network(value: str, what: str) -> str:
    """Check an IPv4 network such as 192.168.7.0/24."""
    try:
        return str(ipaddress.IPv4Network(value))
    except ValueError:
        raise refused(f"{what} is an IPv4 network") from None
