"""Answers a scrape: request headers and query in, status, headers and body out. No network, no waiting.

A scrape has two steps. `plan` belongs on the event loop: it withdraws what is too old and takes a consistent copy of
references. `Plan.build` joins and compresses, touches nothing shared, and may run in a thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from zlib import crc32

from isal import isal_zlib

from dbc_exporter.metrics.catalogue import ALL, family_of
from dbc_exporter.metrics.family import OWNERS, Family
from dbc_exporter.metrics.negotiate import CONTENT_TYPES, Format, choose_format, etag_matches, gzip_allowed
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.store import Store

_END = {Format.TEXT: b"", Format.OPENMETRICS: b"# EOF\n"}
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # 15 bits, with gzip's header and trailer: one member


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; header names as they are sent, `chunks` is the body in pieces."""

    status: int
    headers: dict[str, str]
    chunks: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class Plan:
    """A scrape decided: metadata and lines of each family, to be written out."""

    status: int
    headers: dict[str, str]
    families: tuple[tuple[bytes, list[bytes]], ...] = ()
    end: bytes = b""
    gzip: bool = False

    def build(self) -> Reply:
        """Join, and compress if agreed; safe in any thread."""
        pieces = _compressed(self._pieces()) if self.gzip else self._pieces()
        return Reply(self.status, self.headers, tuple(pieces))

    def _pieces(self) -> Iterator[bytes]:
        for head, lines in self.families:
            yield head + b"".join(lines)
        if self.end:
            yield self.end


class Exposition:
    """What `/metrics` serves: the store's lines and this process' own."""

    def __init__(self, store: Store, own: OwnMetrics, *, instance: str | None = None) -> None:
        """`instance` sets this process' entity tags apart from those of an earlier one; random by default."""
        self._store = store
        self._own = own
        self._instance = instance or secrets.token_hex(4)

    def reply(self, headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> Reply:
        """Answer a scrape in one go."""
        return self.plan(headers, query).build()

    def plan(self, headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> Plan:
        """Decide a scrape. `name[]` keeps the families of these samples, `collect[]` those of these collectors."""
        unknown = sorted(set(query.get("collect[]", ())) - set(OWNERS))
        if unknown:
            return _refusal(f"unknown collect[]: {', '.join(unknown)}\nknown: {', '.join(OWNERS)}\n")
        asked = _lower(headers)
        form = choose_format(asked.get("accept"))
        self._own.scrapes.labels(form.value).inc()
        wanted = _filter(query)
        self._store.sweep()
        own = self._own.lines(wanted)
        counted = self._store.self_lines()
        families: list[tuple[bytes, list[bytes]]] = []
        for family in filter(wanted, ALL):
            lines = own.get(family.name) or counted.get(family.name)
            if lines is None and not family.own:
                lines = self._store.lines(family)
            if lines:
                families.append((_METADATA[form][family.name], lines))
        etag = self._etag(form, query, own)
        answer = {"Vary": "Accept, Accept-Encoding", "ETag": etag, "Content-Type": CONTENT_TYPES[form]}
        if etag_matches(asked.get("if-none-match"), etag):
            return Plan(HTTPStatus.NOT_MODIFIED, answer)
        gzip = gzip_allowed(asked.get("accept-encoding"))
        if gzip:
            answer["Content-Encoding"] = "gzip"
        return Plan(HTTPStatus.OK, answer, tuple(families), _END[form], gzip)

    def page(self, headers: Mapping[str, str], lines: Mapping[str, list[bytes]]) -> Reply:
        """Write out the lines of some families, by name, in the format that the headers ask for."""
        form = choose_format(_lower(headers).get("accept"))
        families = [
            (_METADATA[form][family.name], lines[family.name]) for family in ALL if family.name in lines
        ]
        answer = {"Vary": "Accept", "Cache-Control": "no-store", "Content-Type": CONTENT_TYPES[form]}
        return Plan(HTTPStatus.OK, answer, tuple(families), _END[form]).build()

    def _etag(self, form: Format, query: Mapping[str, Sequence[str]], own: Mapping[str, list[bytes]]) -> str:
        """Name what is shown: the store by its generation, our own values by their content, and the selection."""
        content = 0
        for lines in own.values():
            content = crc32(b"".join(lines), content)
        chosen = crc32(repr([(key, sorted(query.get(key, ()))) for key in ("name[]", "collect[]")]).encode())
        return f'W/"{self._instance}-{self._store.generation:x}-{content:08x}-{chosen:08x}-{form.value}"'


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Fold header names to lower case; repeated headers are one list."""
    folded: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        folded[key] = f"{folded[key]}, {value}" if key in folded else value
    return folded


def _filter(query: Mapping[str, Sequence[str]]) -> Callable[[Family], bool]:
    names = query.get("name[]")
    collectors = query.get("collect[]")
    chosen = {family.name for family in map(family_of, names or ()) if family is not None}

    def wanted(family: Family) -> bool:
        return (not names or family.name in chosen) and (not collectors or family.collector in collectors)

    return wanted


def _refusal(text: str) -> Plan:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return Plan(HTTPStatus.BAD_REQUEST, headers, end=text.encode())


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    squeeze = isal_zlib.compressobj(level=_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    for piece in pieces:
        data = squeeze.compress(piece)
        if data:
            yield data
    yield squeeze.flush()


def _metadata(form: Format, family: Family) -> bytes:
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if form is Format.TEXT:
        return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.type}\n".encode()
    quoted = text.replace('"', '\\"')
    unit = f"# UNIT {family.stem} {family.unit}\n" if family.unit else ""
    return f"# HELP {family.stem} {quoted}\n# TYPE {family.stem} {family.type}\n{unit}".encode()


_METADATA = {form: {family.name: _metadata(form, family) for family in ALL} for form in Format}
