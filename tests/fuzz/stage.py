"""The whole way of an answer: understood, polled by its collector, committed, and read back from the exposition."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Protocol, TypeVar

from dbc_exporter.collectors.base import Collector, Unavailable
from dbc_exporter.collectors.orders import OrderBook, RenterGuard
from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.envelope import understand
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import Fact as ExporterFact
from dbc_exporter.facts import RentOrder, RentOrders
from dbc_exporter.metrics.catalogue import ALL, FAMILIES
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.family import Family
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import Target
from tests.fuzz.truth import Key, Rows

T = TypeVar("T")
AnyCall = ReadCall[Any] | WriteCall[Any]
CLIENT = "left"
WALLET = "5" + "w" * 47
ABOUT_US = frozenset(
    family.name for family in ALL if family.collector in {"targets", "freshness", "exporter"}
)
TEXTS = {
    "dbc_node_info": {"version", "os", "cpu_model"},
    "dbc_node_disk_info": {"medium"},
    "dbc_node_listed_info": {"name", "version"},
    "dbc_vm_info": {"os", "description", "rent_order", "created_local"},
    "dbc_bare_metal_server_info": {"uuid", "os", "description"},
    "dbc_client_info": {"version"},
}
_STATES = {family.name: {family.state_label} for family in ALL if family.state_label}
_LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')


class StillClock:
    """A clock that stands."""

    def monotonic(self) -> float:
        return 1000.0

    def wall(self) -> float:
        return 1_800_000_000.0


class _Quiet(OwnMetrics):
    """What this process counts of itself holds nothing of an answer and is left out, for speed."""

    def lines(self, wanted: Callable[[Family], bool]) -> dict[str, list[bytes]]:
        del wanted
        return {}


OWN = _Quiet(version="0", python="0")
CLOCK = StillClock()


def key_of(call: AnyCall) -> str:
    """Name a request: its path, whether a node is asked, and the image centre."""
    return f"{call.path}{'@' if call.peer else ''}{call.additional.get('image_server', '')}"


@dataclass(slots=True)
class Seen:
    """What came of an answer: samples by family and identity, and every text anyone could read."""

    rows: dict[Key, Rows] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


Answers = Mapping[str, RawAnswer]
Show = Callable[[Answers], Seen]


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.getMessage()} {getattr(record, 'dbc_fields', '')}"
        if record.exc_info:
            text += logging.Formatter().formatException(record.exc_info)
        self.texts.append(text)
        if record.levelno >= logging.ERROR:
            self.errors.append(text)


class _Source(Protocol):
    name: str

    async def fetch(self, client: Any) -> dict[str, ExporterFact]: ...


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("something waited")


def _understood(answers: Answers, call: AnyCall) -> Any:
    return understand(call, answers[key_of(call)])


def store_for(targets: Iterable[Target] = ()) -> Store:
    store = Store(CLOCK, options=RenderOptions(node_timezone=UTC))
    store.set_targets(targets)
    return store


def guard_for(target: Target) -> RenterGuard:
    """Make a guard that has just heard of our live order."""
    book = OrderBook(CLOCK, {"me": frozenset({WALLET})})
    book.hear(target, RentOrders(orders=(RentOrder(target.rent_order or WALLET, WALLET, "renting"),)))
    return RenterGuard(book)


def by_collector(make: Callable[[], Collector], target: Target) -> Show:
    """Show what a collector makes of a target's answers."""

    def show(answers: Answers) -> Seen:
        async def read(call: ReadCall[T], target: Target) -> T:
            del target
            answer: T = _understood(answers, call)
            return answer

        collector, store, owner, seen = make(), store_for([target]), owner_of(target), Seen()
        store.attempt(owner, collector.name, 60.0)
        try:
            outcome = _now(collector.fetch(target, read))
        except Unavailable as state:
            store.unavailable(owner, collector.name, state.reason)
        except DbcError as error:
            store.fail(owner, collector.name, error.reason)
            seen.texts.append(_said(error))
        else:
            store.commit(owner, collector.name, outcome.objects, keep=outcome.keep)
        return expose(store, seen)

    return show


def by_client_source(make: Callable[[], _Source]) -> Show:
    """Show what a collector makes of what a client answers from its memory."""

    def show(answers: Answers) -> Seen:
        class Client:
            async def local(self, call: ReadCall[T]) -> T:
                answer: T = _understood(answers, call)
                return answer

        source, store, owner, seen = make(), store_for(), Owner(client=CLIENT), Seen()
        store.attempt(owner, source.name, 60.0)
        try:
            store.commit(owner, source.name, _now(source.fetch(Client())))
        except DbcError as error:
            store.fail(owner, source.name, error.reason)
            seen.texts.append(_said(error))
        return expose(store, seen)

    return show


class _Transport:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        del method, body, deadline_seconds, retry
        return self._answers[path]

    async def aclose(self) -> None:
        """Nothing to close."""


def by_client(*targets: Target) -> Show:
    """Show what is made of a client's own answers: its state, and which targets it lists."""

    def show(answers: Answers) -> Seen:
        client = DbcClient(CLIENT, _Transport(answers), Gate(CLOCK, set()), CLOCK)
        client.believe()
        pool = Pool([client], CLOCK)
        store, owner, seen = store_for(targets), Owner(client=CLIENT), Seen()
        try:
            _now(client.refresh())
        except DbcError as error:
            seen.texts.append(_said(error))
        store.put(owner, "status", "", client.status())
        for target in targets:
            store.put(owner_of(target), "reachability", "", pool.reachability(target))
            listed = pool.listed_as(target)
            if listed is not None:
                store.put(owner_of(target), "listed", "", listed)
        return expose(store, seen)

    return show


def directly(call: AnyCall, say: Callable[[Any], Mapping[Key, Rows]], owner: Owner | None = None) -> Show:
    """Show an answer that no collector asks for: what it says as if it were samples, and any samples of its own."""

    def show(answers: Answers) -> Seen:
        seen = Seen()
        try:
            fact = _understood(answers, call)
        except DbcError as error:
            seen.texts.append(_said(error))
            return seen
        seen.rows.update(say(fact))
        seen.texts.append(repr(fact))
        if isinstance(fact, ExporterFact) and owner is not None:
            store = store_for([Target(owner.node_id)] if owner.node_id else ())
            store.put(owner, "direct", "", fact)
            expose(store, seen)
        return seen

    return show


def _said(error: DbcError) -> str:
    return f"{error} {error!r} {error.said}"


def expose(store: Store, seen: Seen) -> Seen:
    """Scrape, and read every line strictly."""
    text = Exposition(store, OWN, instance="x").reply({}, {}).body.decode()
    seen.texts.append(text)
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            _read_line(line, seen)
    return seen


def _read_line(line: str, seen: Seen) -> None:
    found = _LINE.fullmatch(line)
    assert found, f"no sample: {line!r}"
    family, inner, value = found[1], found[2] or "", float(found[3])
    assert family in FAMILIES, f"not in the catalogue: {line!r}"
    pairs = [(name, _unescaped(text)) for name, text in _LABEL.findall(inner)]
    assert "".join(match[0] for match in _LABEL.finditer(inner)) == inner, f"labels: {line!r}"
    if family in ABOUT_US:
        assert family != "dbc_exporter_duplicate_series_total" or value == 0, "a series came twice"
        return
    apart = TEXTS.get(family) or _STATES.get(family) or set()
    identity = tuple(sorted(pair for pair in pairs if pair[0] not in apart))
    other = tuple(pair for pair in pairs if pair[0] in apart)
    rows = seen.rows.setdefault((family, identity), {})
    assert other not in rows, f"said twice: {line!r}"
    rows[other] = value


def _unescaped(text: str) -> str:
    return (
        re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text) if "\\" in text else text
    )
