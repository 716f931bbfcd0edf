"""The web configuration in force: read again for every request and handshake, replaced only by a good one."""

from __future__ import annotations

import ssl
from pathlib import Path

from dbc_exporter.logs import get_logger
from dbc_exporter.web import tls
from dbc_exporter.web.webconfig import WebConfig, WebConfigError, parse

log = get_logger(__name__)

_Version = tuple[WebConfig, tls.Material | None]


class LiveConfig:
    """Follows one web configuration file and the certificates it names; without a file, the defaults.

    The constructor raises WebConfigError. Later a file that cannot be read or does not fit is logged once, and what
    was in force stays. So does it when the new file would take away TLS or authentication: a file caught half-written
    must not open the door. Such a change needs a restart.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: bytes | None = None
        self._verdict: WebConfig | WebConfigError = WebConfig()
        self._refused: _Version | None = None
        self._refusal: list[str] = []
        self._complaint = ""
        self._in_force: _Version = (WebConfig(), None)
        self._context: ssl.SSLContext | None = None
        if path is not None:
            self._adopt(self._wanted(path))

    @property
    def https(self) -> bool:
        """Tell whether the server speaks TLS; fixed for the life of the process."""
        return self._context is not None

    @property
    def in_force(self) -> WebConfig:
        """The configuration in force, without looking at the file again."""
        return self._in_force[0]

    def current(self) -> WebConfig:
        """Look at the files and return the configuration in force now. Never raises."""
        self._refresh()
        return self._in_force[0]

    def context(self) -> ssl.SSLContext:
        """Look at the files and return the TLS context for a handshake now. Only where `https` is true."""
        self._refresh()
        if self._context is None:
            raise RuntimeError("no TLS is configured")
        return self._context

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            wanted = self._wanted(self._path)
            if wanted != self._in_force:
                self._replace(self._path, wanted)
        except WebConfigError as error:
            if str(error) != self._complaint:
                log.warning(
                    "web config refused, the old one stays in force", problems="; ".join(error.problems)
                )
            self._complaint = str(error)
            return
        if self._complaint:
            log.info("web config is good again", file=self._path)
            self._complaint = ""

    def _wanted(self, path: Path) -> _Version:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WebConfigError(path, [f"cannot be read: {error.strerror}"]) from None
        if content != self._seen:
            self._seen = content
            self._verdict = _parsed(content, path)
        if isinstance(self._verdict, WebConfigError):
            raise WebConfigError(path, list(self._verdict.problems))
        config = self._verdict
        try:
            return config, tls.read_material(config.tls) if config.tls else None
        except tls.TlsError as error:
            raise WebConfigError(path, [str(error)]) from None

    def _replace(self, path: Path, wanted: _Version) -> None:
        if wanted != self._refused:
            self._refusal = _losses(self._in_force[0], wanted[0])
            self._refused = wanted
            if not self._refusal:
                try:
                    self._adopt(wanted)
                except WebConfigError as error:
                    self._refusal = list(error.problems)
                else:
                    self._refused = None
                    log.info("web config or certificates changed and are in force", file=path)
                    return
        raise WebConfigError(path, self._refusal)

    def _adopt(self, version: _Version) -> None:
        config, material = version
        if config.tls and material:
            try:
                self._context = tls.build_context(config.tls, material)
            except tls.TlsError as error:
                raise WebConfigError(self._path or Path(), [str(error)]) from None
        self._in_force = version


def check(path: Path) -> None:
    """Check a web configuration file and everything it names, as at start. Raises WebConfigError."""
    LiveConfig(path)


def _parsed(content: bytes, path: Path) -> WebConfig | WebConfigError:
    try:
        return parse(content, path)
    except WebConfigError as error:
        return error


def _losses(old: WebConfig, new: WebConfig) -> list[str]:
    losses = []
    if (old.tls is None) != (new.tls is None):
        losses.append("tls_server_config: TLS cannot be turned on or off without a restart")
    if old.users and not new.users:
        losses.append("basic_auth_users: users cannot be taken away altogether without a restart")
    if old.requires_client_certificate and not new.requires_client_certificate:
        losses.append("client_auth_type: client certificates cannot become optional without a restart")
    return losses
