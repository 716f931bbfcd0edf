"""The base of every settings section, and the scalar types they share."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NODE_ID = re.compile(r"[0-9a-f]{64}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+(%[\w.-]+)?\]|[^\[\]:\s/]*):(?P<port>[0-9]{1,5})")
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")
_SOCKET = re.compile(r"unix:///.*[^/]")
_MAX_PORT = 65535


class Section(BaseModel):
    """A frozen group of settings: unknown keys are errors, and no error shows what was put in."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        validate_default=True,
    )


def wrong(text: str) -> PydanticCustomError:
    """Return an error whose text is shown to the operator as it stands; it names the remedy and no secret."""
    return PydanticCustomError("dbc", "{text}", {"text": text})


def parse_duration(value: Any) -> Any:
    """Turn "15s", "5m" or "1h30m" into seconds; plain numbers are seconds already."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise wrong('is not a duration; write seconds (90) or units ("90s", "5m", "1h30m", "1d")') from None


def _node_id(value: str) -> str:
    if _NODE_ID.fullmatch(value):
        return value
    if _NODE_ID.fullmatch(value.lower().removeprefix("0x")):
        raise wrong("is a node id written unusually; write it in lower case and without 0x, as DBC wants it")
    raise wrong(f"must be a node id: 64 lower-case hex characters (this has {len(value)} characters)")


def _label_name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise wrong("is no Prometheus label name; use letters, digits and _, not starting with a digit")
    if value.startswith("__"):
        raise wrong("starts with __, which Prometheus keeps for itself; choose another label name")
    return value


def _listen_address(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if not _SOCKET.fullmatch(value) and (match is None or int(match["port"]) > _MAX_PORT):
        raise wrong(
            'is no listen address; write ":10177", "127.0.0.1:10177", "[::1]:10177" or "unix:///run/dbc.sock"'
        )
    return value


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _parts(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong("is no valid URL; write http://host:port") from None
    if parts.username is not None or parts.password is not None:
        raise wrong(
            "carries a user or password; they would end in logs and pages, so write the URL without them"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise wrong("must be an http or https URL with a host, such as http://127.0.0.1:5050")
    return parts


def _url(value: str) -> str:
    parts = _parts(value)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong("must end after host and port, without /api/v1 or any other path")
    return value.rstrip("/")


def _external_url(value: str) -> str:
    parts = _parts(value)
    if parts.query or parts.fragment:
        raise wrong("must end after its path, without ? and #")
    _route_prefix(parts.path or "/")
    return value.rstrip("/")


def _route_prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise wrong(
            "must be / or a path such as /dbc, of letters, digits and . _ ~ - (none starting with a dot)"
        )
    return value


def _telemetry_path(value: str) -> str:
    taken = value in ("/targets", "/remediation", "/probe", "/sd") or value.startswith(
        ("/-/", "/api/", "/targets/")
    )
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value) or taken:
        raise wrong("must be a path such as /metrics, and none of the exporter's own pages (/targets, /-/…)")
    return value


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
NodeId = Annotated[str, AfterValidator(_node_id)]
LabelName = Annotated[str, AfterValidator(_label_name)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
ListenAddresses = Annotated[tuple[ListenAddress, ...], BeforeValidator(_several), Field(min_length=1)]
Url = Annotated[str, AfterValidator(_url)]
ExternalUrl = Annotated[str, AfterValidator(_external_url)]
RoutePrefix = Annotated[str, AfterValidator(_route_prefix)]
TelemetryPath = Annotated[str, AfterValidator(_telemetry_path)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*$")]
