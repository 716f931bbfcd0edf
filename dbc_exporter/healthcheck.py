"""Ask the exporter of the same machine whether it is healthy, for container health checks."""

from __future__ import annotations

import http.client
import ssl
from contextlib import suppress

from dbc_exporter.config.settings import WebSettings
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.webconfig import WebConfigError

_PATH = "/-/healthy"
_TIMEOUT_SECONDS = 5.0
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (read, not bound)


def ask(web: WebSettings) -> tuple[bool, str]:
    """Return whether the exporter at our own listen address is healthy, and a line that says so.

    An exporter that wants a password or a client certificate is alive, which is all a check without them can tell.
    """
    host, _, port = web.listen_address.rpartition(":")
    host = host.strip("[]")
    try:
        config = LiveConfig(web.config_file)
    except WebConfigError as error:
        return False, f"unhealthy: {error}"
    connection = _connection(_ANY.get(host, host), int(port), https=config.https)
    try:
        if config.in_force.requires_client_certificate:
            return _greet(connection)
        connection.request("GET", _PATH)
        answer = connection.getresponse()
        said = answer.read(200).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return False, f"unhealthy: no answer from {web.listen_address}: {error or type(error).__name__}"
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


def _connection(host: str, port: int, *, https: bool) -> http.client.HTTPConnection:
    if not https:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    # our own certificate names the machine, not the loopback address, and nothing secret is sent
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
