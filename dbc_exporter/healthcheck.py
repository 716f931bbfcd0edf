"""Ask the exporter of the same machine whether it is healthy, for container health checks."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import suppress

from dbc_exporter.config.settings import WebSettings
from dbc_exporter.web.listen import UNIX, asked_at
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.webconfig import WebConfigError

_PATH = "/-/healthy"
_TIMEOUT_SECONDS = 5.0


def ask(web: WebSettings) -> tuple[bool, str]:
    """Return whether the exporter at our own (first) listen address is healthy, and a line that says so.

    An exporter that wants a password or a client certificate is alive, which is all a check without them can tell.
    """
    where = web.listen_address[0]
    try:
        config = LiveConfig(web.config_file)
    except WebConfigError as error:
        return False, f"unhealthy: {error}"
    connection = _connection(where, _tls() if config.https else None)
    try:
        if config.in_force.requires_client_certificate:
            return _greet(connection)
        connection.request("GET", web.prefix + _PATH)
        answer = connection.getresponse()
        said = answer.read(200).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return False, f"unhealthy: no answer from {where}: {error or type(error).__name__}"
    finally:
        connection.close()
    if answer.status == http.client.UNAUTHORIZED:
        return True, "alive: it wants a password, so its health cannot be asked"
    return answer.status == http.client.OK, f"{answer.status} {said}"


def _greet(connection: http.client.HTTPConnection) -> tuple[bool, str]:
    """Shake hands only: who answers that, or refuses it, lives. Raises OSError when nobody does."""
    with suppress(ssl.SSLError, ConnectionResetError):
        connection.connect()
    return True, "alive: it wants a client certificate, so its health cannot be asked"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; TLS where a context is given."""

    def __init__(self, path: str, context: ssl.SSLContext | None) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path
        self._context = context

    def connect(self) -> None:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(_TIMEOUT_SECONDS)
        self.sock = plain  # closed with the connection, also when nobody listens
        plain.connect(self._path)
        if self._context:
            self.sock = self._context.wrap_socket(plain)


def _connection(where: str, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if where.startswith(UNIX):
        return _UnixConnection(where.removeprefix(UNIX), context)
    host, port = asked_at(where)
    if context is None:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)


def _tls() -> ssl.SSLContext:
    """Trust anybody: our own certificate names the machine, not the loopback address, and nothing secret is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
