"""All DBC clients together: who asks which node, who is suspected, and what is known of each node's being there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import UNSIGNED, Authority, ReadCall
from dbc_exporter.dbc.client import DbcClient, UnprovenSilenceError
from dbc_exporter.dbc.errors import CLIENT_TROUBLE, SILENCE, DbcError, Reason, unsent
from dbc_exporter.dbc.patience import REMEMBERED_SECONDS
from dbc_exporter.dbc.suspects import LONGEST_SECONDS, Suspects
from dbc_exporter.facts import ListedAs, Reachability, RentOrders
from dbc_exporter.targets import Kind, Target, spread

T = TypeVar("T")

ANSWERED_LATELY_SECONDS = 15.0  # before authenticated calls run side by side, their node must have answered
KNOCKS = 2  # public reads before one signed call; a node that cannot answer them is not asked again and again
EVIDENCE_SECONDS = 180.0  # how long an answer, or a silence, says something of a node, at the least
POLLS = 3  # an answer counts until so many polls have brought none


def queue_key(target: Target) -> str:
    """Return the id that requests about a target queue under: servers queue at their manager."""
    return target.manager or target.id


@dataclass(slots=True)
class NodeNote:
    """The latest evidence about a node: when it answered, whether it was silent since, how long that silence counts."""

    answered_at: float = float("-inf")
    up: bool | None = None
    silent_until: float = float("-inf")
    unknown_at: float = float("-inf")


_NOTHING_KNOWN = NodeNote()  # stands in for notes not taken yet; never written to


class Reader(Protocol):
    """Makes reads about a target. Takes nothing that writes; raises `DbcError`."""

    async def __call__(self, call: ReadCall[T], target: Target) -> T:
        """Return the facts of one call."""


class Orders(Protocol):
    """Knows our rent orders; asks a node with a public read, which also proves the node alive."""

    def live(self, target: Target) -> bool | None:
        """Tell whether an order of ours runs on a target, None when that must be asked first."""

    def is_live(self, target: Target, orders: RentOrders) -> bool | None:
        """Judge a node's answer: whether an order of ours runs, None when it cannot be told."""

    async def refresh(self, target: Target, read: Reader) -> None:
        """Ask."""

    def retain(self, watched: Container[str]) -> None:
        """Forget what was heard of targets that are watched no more."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a call reaches its target: the id it queues under, who signs it, and what is asked right before sending."""

    queue: str
    credential: Credential | None
    still_open: Callable[[], None] = field(repr=False)


@dataclass(slots=True)
class Pool:
    """The clients of one exporter process and the nodes behind them.

    `asked_every`: seconds between two requests that prove a machine of a kind alive, while it is well.
    """

    clients: Sequence[DbcClient]
    clock: Clock
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    suspects: Suspects = field(default_factory=Suspects)
    managers: frozenset[str] = frozenset()
    on_recovered: Callable[[str], None] = lambda _node: None
    orders: Orders | None = None
    asked_every: Mapping[Kind, float] = field(default_factory=dict)
    _notes: dict[str, NodeNote] = field(default_factory=dict)
    _allowed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _ranks: dict[tuple[str, tuple[str, ...]], tuple[DbcClient, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hear of nodes that come to or leave a client's list."""
        for client in self.clients:
            client.on_listing = self._listing_changed

    def watch(self, targets: Iterable[Target]) -> None:
        """Take a new inventory; forget what was known of nodes that are watched no more."""
        targets = tuple(targets)
        self.managers = frozenset(target.id for target in targets if target.kind is Kind.MANAGER)
        # the last one counts: of a manager its own record
        servers_first = sorted(targets, key=lambda target: queue_key(target) == target.id)
        self._allowed = {queue_key(target): target.clients for target in servers_first}
        self.suspects.retain(self._allowed)
        self._notes = {key: note for key, note in self._notes.items() if key in self._allowed}
        ranked = {(queue_key(target), target.clients) for target in targets}
        self._ranks = {key: ranks for key, ranks in self._ranks.items() if key in ranked}
        if self.orders is not None:
            self.orders.retain({target.id for target in targets})

    def take_over(self, old: Pool) -> None:
        """Go on with what another pool knew of the nodes."""
        self._notes, self.suspects = old._notes, old.suspects

    def credential(self, target: Target) -> Credential | None:
        """Return the credential that signs for a target, None when it has none."""
        return self.credentials.get(target.credential) if target.credential else None

    # -- who asks whom -------------------------------------------------------------------------------------

    def client_for(self, target: Target) -> DbcClient | None:
        """Return the client to ask about a target now, or None: the same one as long as it stays good."""
        for client in self._ranked(target):
            if client.usable() and (target.kind is Kind.MANAGER or self._lists(client, target)):
                return client
        return None

    def asker(self, target: Target) -> DbcClient | None:
        """Return the client through which sweeps may ask about a target now; none while it is under suspicion."""
        return None if queue_key(target) in self.suspects else self.client_for(target)

    async def read(self, call: ReadCall[T], target: Target) -> T:
        """Make a read about a target through its client.

        A signed call leaves only while an order of ours is known to run, and, where several are in flight, only to a
        node that answered just now: one that dies meanwhile costs its client a session. Raises `DbcError`.
        """

        def send(client: DbcClient, way: Way) -> Awaitable[T]:
            return client.forward(call, way.queue, way.credential, target.rent_order, way.still_open)

        return await self.through(target, call.kind, call.authority, send)

    async def through(
        self, target: Target, kind: str, authority: Authority, send: Callable[[DbcClient, Way], Awaitable[T]]
    ) -> T:
        """Let `send` make a call of this kind and authority through a target's client; `read` tells when it may.

        Calls it once, or again as long as `still_open` asks for another look at the rent orders.
        """
        for _ in range(KNOCKS + 1):
            client = self.client_for(target)
            if client is None:
                raise DbcError(Reason.NOT_SENT, "no usable DBC client lists this node")
            try:
                self._check_order(client, kind, authority, target)
                return await self._forward(client, kind, authority, target, send)
            except _KnockFirstError:
                if self.orders is None:
                    raise DbcError(Reason.NOT_SENT, "nobody knows our rent orders") from None
                with unsent():
                    await self.orders.refresh(target, self.read)
        raise DbcError(Reason.NOT_SENT, "the node answers signed calls only after others, and none of those")

    async def probe(self, client: DbcClient, node: str) -> bool:
        """Ask a suspect, or any node of a wedged client, with the kind that nothing else uses."""
        try:
            await client.forward(reads.lan_probe(node), node, None, None)
        except DbcError as error:
            if error.reason in SILENCE:
                self.suspects.stayed_silent(node, self.clock.monotonic())
                self._note_silence(node, LONGEST_SECONDS + EVIDENCE_SECONDS)
                return False
            if self._is_answer(error):
                self._note_answer(node)
                return True
            self.suspects.put_off(node, self.clock.monotonic())
            self._note_unknown(client, node, error)
            return False
        finally:
            self._wake()
        self._note_answer(node)
        return True

    def probe_due(self, client: DbcClient) -> str | None:
        """Return the node that this client should probe now: a suspect of its own, or proof of its own health."""
        if client.wedged:
            anyone = next((node for node in client.rows if node not in self.suspects), None)
            node = next((node for node in client.rows if self._note(node).up), anyone)
            return node if node is not None and client.wedge_probe_due() else None
        if not client.usable():
            return None
        return self.suspects.due(self.clock.monotonic(), lambda node: self._home(node) is client)

    # -- what is known -------------------------------------------------------------------------------------

    def reachability(self, target: Target) -> Reachability:
        """Return what is known of a target's being there; client trouble makes it unknown, never down."""
        key = queue_key(target)
        note = self._notes.get(key, _NOTHING_KNOWN)
        now = self.clock.monotonic()
        usable = [client for client in self._ranked(target) if client.usable()]
        counts = now - note.answered_at < self._lasts(target) if note.up else now < note.silent_until
        up = note.up if usable and counts else None
        return Reachability(
            visible=self._visible(target, usable, note, now), up=up, suspect=key in self.suspects
        )

    def listed_as(self, target: Target) -> ListedAs | None:
        """Return how a client lists a target now, or None when no client does."""
        for client in self.clients:
            row = client.rows.get(target.id)
            if row is not None:
                return ListedAs(name=row.name, version=row.version)
        return None

    def _visible(
        self, target: Target, usable: Sequence[DbcClient], note: NodeNote, now: float
    ) -> bool | None:
        if not usable:
            return None
        if target.kind is Kind.MANAGER:  # managers stand on no list: only an answer tells
            if now - note.unknown_at < EVIDENCE_SECONDS and note.unknown_at > note.answered_at:
                return False
            return True if now - note.answered_at < max(EVIDENCE_SECONDS * 2, self._lasts(target)) else None
        if any(target.id in client.listed for client in usable):
            return True
        return False if any(client.settled() for client in usable) else None

    # -- inside --------------------------------------------------------------------------------------------

    def _lasts(self, target: Target) -> float:
        """Return for how many seconds an answer counts."""
        return max(EVIDENCE_SECONDS, POLLS * self.asked_every.get(target.kind, 0.0))

    def _lists(self, client: DbcClient, target: Target) -> bool:
        return target.id in client.listed or (target.manager is not None and target.manager in client.listed)

    def _ranked(self, target: Target) -> tuple[DbcClient, ...]:
        """Rank clients for a node by rendezvous hashing: stable, even, and the next one takes over."""
        key = queue_key(target)
        ranked = self._ranks.get((key, target.clients))
        if ranked is None:
            ranked = self._allowed_clients(key, target.clients)
            self._ranks[key, target.clients] = ranked
        return ranked

    def _allowed_clients(self, key: str, names: Collection[str]) -> tuple[DbcClient, ...]:
        allowed = [client for client in self.clients if not names or client.name in names]
        return tuple(sorted(allowed, key=lambda client: spread(client.name, key)))

    def _home(self, node: str) -> DbcClient | None:
        for client in self._allowed_clients(node, self._allowed.get(node, ())):
            if client.usable() and (node in client.listed or node in self.managers):
                return client
        return None

    def _check_order(self, client: DbcClient, kind: str, authority: Authority, target: Target) -> None:
        """Raise unless a call may be signed now: `_KnockFirstError` when rent orders must be read first."""
        if authority in UNSIGNED:
            return
        live = self.orders.live(target) if self.orders else None
        if live is False:
            raise DbcError(Reason.NOT_SENT, "no live rent order of ours is known for this node")
        side_by_side = client.gate.lane(kind, authenticated=True).wanted() > 1
        age = self.clock.monotonic() - self._note(queue_key(target)).answered_at
        if live is None or (side_by_side and age > ANSWERED_LATELY_SECONDS):
            raise _KnockFirstError

    async def _forward(
        self,
        client: DbcClient,
        kind: str,
        authority: Authority,
        target: Target,
        send: Callable[[DbcClient, Way], Awaitable[T]],
    ) -> T:
        key = queue_key(target)

        def still_open() -> None:
            if key in self.suspects:
                raise DbcError(Reason.NOT_SENT, "the node is under suspicion")
            if not client.usable():
                raise DbcError(Reason.NOT_SENT, "the client is no longer usable")
            if target.kind is not Kind.MANAGER and not self._lists(client, target):
                raise DbcError(Reason.NOT_SENT, "the client no longer lists the node")
            self._check_order(client, kind, authority, target)

        public = authority in UNSIGNED
        try:
            answer = await send(client, Way(key, None if public else self.credential(target), still_open))
        except DbcError as error:
            self._learn_from(client, error, key, public=public)
            raise
        finally:
            self._wake()
        self._note_answer(key)
        return answer

    def _learn_from(self, client: DbcClient, error: DbcError, key: str, *, public: bool) -> None:
        if not error.sent:
            return
        if error.reason in SILENCE:
            if public:  # an authenticated call may hang in the chain while its node is well
                self.suspects.add(key, self.clock.monotonic())
                if not isinstance(error, UnprovenSilenceError):
                    self._note_silence(key, EVIDENCE_SECONDS)
        elif error.reason is Reason.UNKNOWN_NODE:
            self._note_unknown(client, key, error)
        elif self._is_answer(error):
            self._note_answer(key)

    def _is_answer(self, error: DbcError) -> bool:
        """Tell whether a failure is the node's own word, which proves it alive."""
        nobodys = CLIENT_TROUBLE | SILENCE | {Reason.NOT_SENT, Reason.REFUSED_LOCALLY, Reason.UNKNOWN_NODE}
        return error.reason not in nobodys

    def _note(self, key: str) -> NodeNote:
        return self._notes.setdefault(key, NodeNote())

    def _note_answer(self, key: str) -> None:
        note, now = self._note(key), self.clock.monotonic()
        note.answered_at, note.up = now, True
        if self.suspects.clear(key):
            self.on_recovered(key)

    def _note_silence(self, key: str, seconds: float) -> None:
        note, now = self._note(key), self.clock.monotonic()
        note.up, note.silent_until = False, now + seconds

    def _note_unknown(self, client: DbcClient, key: str, error: DbcError) -> None:
        if error.reason is Reason.UNKNOWN_NODE and client.settled():
            self._note(key).unknown_at = self.clock.monotonic()

    def _wake(self) -> None:
        for client in self.clients:
            client.gate.wake()

    def _listing_changed(self, _client: DbcClient, came: frozenset[str], left: frozenset[str]) -> bool:
        """Ask suspects that are listed again; tell whether somebody left who answered too lately to have died."""
        now = self.clock.monotonic()
        for node in came:
            self.suspects.listed_again(node, now)
        nobody = _NOTHING_KNOWN
        return any(now - self._notes.get(node, nobody).answered_at < REMEMBERED_SECONDS for node in left)


class _KnockFirstError(Exception):
    """What is known of the node or its orders is too old for a signed call."""
