"""Structured logs on standard error: one line per event, as logfmt or JSON, without secrets.

log = get_logger(__name__)
log.info("client came back", client="a:5050", seconds=12)
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

ROOT = "dbc_exporter"
HIDDEN = "[hidden]"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}
# what others have to say is either counted by us already (missed jobs) or far too much (each request)
_FOREIGN = {"apscheduler": logging.ERROR, "asyncio": logging.WARNING, "aiohttp.access": logging.ERROR}
_SECRET_KEY = re.compile(
    r"(.*_)?(pass(word|wd)?|secret|seed|mnemonic|sign(ature)?|private_key|session_id|nonce|uri)",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(r"\b(?:0x)?[0-9a-fA-F]{128}\b|\b0x[0-9a-fA-F]{64}\b")
_USERINFO = re.compile(r"(\w+://)[^/@\s]+@")
_BARE = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SHORTEST_SECRET = 6


class Logger:
    """A logger whose events are a few fixed words and named fields."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only a developer wants to know."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log a normal event worth reading."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what an operator should look at some time."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what an operator should look at now."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log an error together with the exception being handled."""
        self._log(logging.ERROR, event, fields, trace=True)

    def _log(self, level: int, event: str, fields: dict[str, object], *, trace: bool = False) -> None:
        self._logger.log(level, "%s", event, extra={"dbc_fields": fields}, exc_info=trace)


def get_logger(name: str) -> Logger:
    """Return the logger of one of our modules (`__name__`)."""
    return Logger(logging.getLogger(name))


class Redactor:
    """Hides secrets: the configured values themselves, fields named like secrets, and what looks like a signature."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets for form in (secret, secret.removeprefix("0x"))}
        known = {secret for secret in known if len(secret) >= _SHORTEST_SECRET}
        ordered = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None

    def text(self, text: str) -> str:
        """Return a text with its secrets replaced."""
        if self._known:
            text = self._known.sub(HIDDEN, text)
        return _USERINFO.sub(rf"\1{HIDDEN}@", _SECRET_TEXT.sub(HIDDEN, text))

    def field(self, key: str, value: object) -> object:
        """Return a field's value, hidden where its name says so; numbers, flags and nothing stay what they are."""
        if _SECRET_KEY.fullmatch(key):
            return HIDDEN
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))


class _Formatter(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        try:
            event = record.getMessage()
        except (TypeError, ValueError):
            event = str(record.msg)
        line: dict[str, object] = {
            "ts": _rfc3339(record.created),
            "level": _NAMES.get(record.levelno, "error" if record.levelno > logging.WARNING else "debug"),
            "event": self._redactor.text(event),
        }
        if not record.name.startswith(ROOT):
            line["logger"] = record.name
        given: dict[str, Any] = getattr(record, "dbc_fields", {})
        for key, value in given.items():
            line[f"{key}_" if key in line else key] = self._redactor.field(key, value)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self._redactor.text(self.formatException(record.exc_info))
        return self.write(line)

    def write(self, line: dict[str, object]) -> str:
        """Return the one line of an event."""
        raise NotImplementedError


class _Logfmt(_Formatter):
    def write(self, line: dict[str, object]) -> str:
        return " ".join(f"{key}={_logfmt(value)}" for key, value in line.items())


class _Json(_Formatter):
    def write(self, line: dict[str, object]) -> str:
        return json.dumps(line, separators=(",", ":"), ensure_ascii=False)


def _logfmt(value: object) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _only_warnings(record: logging.LogRecord) -> bool:
    """Pass our own events, and of others only warnings, whatever level they set for themselves."""
    return record.name.startswith(ROOT) or record.levelno >= logging.WARNING


def setup(
    level: str = "info", form: str = "logfmt", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send all logs to standard error. May be called again, as after a reload.

    Libraries stay at warnings even at level debug: some log whole payloads on the root logger.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((_Json if form == "json" else _Logfmt)(Redactor(secrets)))
    handler.addFilter(_only_warnings)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if getattr(old, "dbc_exporter", False):
            root.removeHandler(old)
    handler.dbc_exporter = True  # type: ignore[attr-defined]  # our mark, to replace the handler on reload
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(_LEVELS[level])
    for name, floor in _FOREIGN.items():
        logging.getLogger(name).setLevel(floor)
    logging.captureWarnings(capture=True)
