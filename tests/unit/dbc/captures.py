"""Reads recorded exchanges of a real DBC client."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbc_exporter.dbc.exchange import RawAnswer
from tests.shared import CAPTURES

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_TYPE = re.compile(rb"content-type:\s*([^\r\n]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Recorded:
    name: str
    method: str
    path: str
    body: Any
    answer: RawAnswer | None


def _split(part: bytes) -> tuple[bytes, bytes]:
    at = re.search(rb"\r?\n\r?\n", part)
    return (part, b"") if at is None else (part[: at.start()], part[at.end() :])


def decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def read(path: Path) -> Recorded:
    raw = path.read_bytes()
    _, _, after_request = raw.partition(b">>>> REQUEST")
    request, _, response = after_request.partition(b"<<<< RESPONSE")
    request_head, request_body = _split(request.lstrip(b"\r\n"))
    line = request_head.splitlines()[0].decode("latin-1").split(" ") if request_head.strip() else ["", ""]
    response_head, response_body = _split(response.partition(b"\n")[2])
    status, content_type = _STATUS.match(response_head), _TYPE.search(response_head)
    answer = None
    if status is not None:
        shown_type = "" if content_type is None else content_type[1].decode()
        answer = RawAnswer(int(status[1]), shown_type, response_body)
    return Recorded(path.stem, line[0], line[1] if len(line) > 1 else "", decoded(request_body), answer)


def every() -> list[Recorded]:
    return [read(path) for path in sorted(CAPTURES.glob("*.txt"))] if CAPTURES.is_dir() else []


def one(number: str) -> Recorded:
    """The recorded exchange with this number, or with this whole name."""
    (path,) = CAPTURES.glob(f"{number}.txt" if "_" in number else f"{number}_*.txt")
    return read(path)


_SECRET_FIELDS = frozenset(
    {
        "login_password", "vnc_password", "node_private_key", "ipmi_hostname", "ipmi_username", "ipmi_password",
        "session_id", "session_id_sign", "sign", "nonce", "ssh_ip", "source_file", "password",
    }
)  # fmt: skip


def secrets_in(value: Any) -> set[str]:
    """Every secret of a decoded body: by field name, and passwords in log lines."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _SECRET_FIELDS and isinstance(inner, str) and inner.strip("*") and inner != "N/A":
                found.add(inner)
            found |= secrets_in(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= secrets_in(inner)
    elif isinstance(value, str):
        found |= set(re.findall(r"password: ?([^\s,]+)", value))
    return found
