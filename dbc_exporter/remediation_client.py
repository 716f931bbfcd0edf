"""Asks a running exporter about remediation, over its HTTP endpoints: `/api/v1/remediation/…`."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode, urlsplit

_TIMEOUT_SECONDS = 30.0
_PREFIX = "/api/v1/remediation"
_MOST_TEXT = 600
_ABSENT = (
    "no such endpoint: remediation is not configured there, or (for whatever changes something) its "
    "web.config_file demands neither users nor client certificates"
)


class CallError(Exception):
    """The exporter did not answer, or did not do it; the text says which, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Where a running exporter listens (`http://host:port`, a path before ours is kept) and who asks."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None

    def get(self, word: str, **query: str) -> bytes:
        """Ask something and return the JSON answer. Raises `CallError`."""
        asked = f"?{urlencode(query)}" if query else ""
        return self._call("GET", f"{word}{asked}", None)

    def post(self, word: str, question: Mapping[str, object]) -> bytes:
        """Have something done and return the JSON answer. Raises `CallError`."""
        return self._call("POST", word, json.dumps(question).encode())

    def _call(self, method: str, word: str, body: bytes | None) -> bytes:
        connection = self._connection()
        try:
            path = f"{urlsplit(self.url).path.rstrip('/')}{_PREFIX}/{word}"
            connection.request(method, path, body, self._headers())
            answer = connection.getresponse()
            said = answer.read()
        except ssl.SSLCertVerificationError as error:
            raise CallError(
                f"{self.url} is not trusted: {error.verify_message}; see --url and --ca-file"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise CallError(f"no answer from {self.url}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        if answer.status == HTTPStatus.OK:
            return said
        raise CallError(_refusal(answer.status, said))

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.user:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        return headers

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise CallError(f"--ca-file {self.ca_file} cannot be used: {error.strerror or error}") from None
        return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_SECONDS, context=context)


def _refusal(status: int, said: bytes) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "the exporter wants to know who asks: give --user and --password-file"
    if status == HTTPStatus.NOT_FOUND:
        return _ABSENT
    return said[:_MOST_TEXT].decode(errors="replace").strip() or f"HTTP {status}"
