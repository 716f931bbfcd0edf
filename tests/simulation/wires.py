"""The wire between our process and the town's DBC clients, with everything that happens on wires."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.protocol import ConnectionLost, Request

VERBS = ("/tasks/start/", "/tasks/restart/")


class Killed(BaseException):
    """Our process was killed: nothing of it may run any more."""


@dataclass(slots=True)
class Sent:
    """One request that is forwarded to a node, as it leaves us. `changes` tells a write from a read."""

    at: float
    nonce: str
    path: str
    node: str
    changes: bool
    client: str


@dataclass
class Points:
    """Places at which our process may be killed or stopped for a while.

    `kill_in` counts down over the places passed; at zero the process dies there. A dead process dies at every place.
    Until `still_until` it stands still, as under SIGSTOP.
    """

    now: Callable[[], float]
    dead: bool = False
    kill_in: int | None = None
    still_until: float = float("-inf")
    passed: int = 0
    kills: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str) -> None:
        """Pass a place."""
        self.passed += 1
        if not self.dead and self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in <= 0:
                self.kill_in = None
                self.dead = True
                self.kills[name] = self.kills.get(name, 0) + 1
        if self.dead:
            raise Killed(name)

    @property
    def still(self) -> bool:
        """Whether we stand still."""
        return self.now() < self.still_until

    async def rest(self) -> None:
        """Stand still as long as we are made to."""
        while self.now() < self.still_until:  # noqa: ASYNC110 - it may be made longer meanwhile
            await asyncio.sleep(self.still_until - self.now())


@dataclass
class Troubles:
    """How often what goes wrong, for requests about to be sent. Each is a share of all requests.

    Of `doomed` nonces the write is lost, and so is the answer to the first read after it; of `unheard` ones the answer.
    """

    lose_request: float = 0.0
    lose_answer: float = 0.0
    late_request: float = 0.0
    double_request: float = 0.0
    refuse: float = 0.0
    failing_text: float = 0.0
    latest: float = 1_800.0
    doomed: set[str] = field(default_factory=set)
    unheard: set[str] = field(default_factory=set)


class Ears(Protocol):
    """Hears what passes on a wire."""

    def leaves(self, sent: Sent) -> None:
        """Hear a request right before it leaves."""

    def answered(self, sent: Sent, body: bytes) -> None:
        """Hear an answer right before we do."""

    def lost(self, sent: Sent) -> None:
        """Hear that a request will never arrive."""


@dataclass
class Wire:
    """A transport to one client of the town."""

    client: ClientNode
    dice: random.Random
    points: Points
    troubles: Troubles
    now: Callable[[], float]
    ears: Ears
    _afterwards: set[asyncio.Task[Any]] = field(default_factory=set)

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request for one answer, unless something happens to it."""
        del retry
        request = Request(method=method, target=path, version="1.1", body=body)
        sent = self._sent(path, body)
        if not sent.node:  # the client answers from memory
            return await self._exchange(request, deadline_seconds)
        await self.points.rest()
        self.points("before a send")
        sent.at = self.now()
        self.ears.leaves(sent)
        try:
            answer = await self._with_troubles(request, sent, deadline_seconds)
            self.ears.answered(sent, answer.body)
        finally:
            await self.points.rest()
            self.points("after an answer")
        return answer

    def _sent(self, path: str, body: bytes) -> Sent:
        below = path.removeprefix("/api/v1")
        said = json.loads(body) if body else {}
        node = (said.get("peer_nodes_list") or [""])[0]
        command = said.get("additional", {}).get("command", "")
        changes = below.startswith(VERBS) or (
            below.startswith("/bare_metal/power") and command not in ("", "status")
        )
        shown = f"{below}:{command}" if command else below
        return Sent(self.now(), said.get("nonce", ""), shown, node, changes, self.client.name)

    async def _with_troubles(self, request: Request, sent: Sent, deadline: float) -> RawAnswer:
        roll, trouble = self.dice.random(), self.troubles
        if sent.nonce in trouble.doomed and sent.changes:
            self.ears.lost(sent)
            return await self._nothing(deadline)
        if sent.nonce in trouble.doomed or (sent.nonce in trouble.unheard and sent.changes):
            trouble.doomed.discard(sent.nonce)
            self._later(request, sent, 0.0)
            return await self._nothing(deadline)
        if roll < trouble.refuse:
            raise DbcError(Reason.UNREACHABLE, "connection refused")
        roll -= trouble.refuse
        if roll < trouble.lose_request:
            self.ears.lost(sent)
            return await self._nothing(deadline)
        roll -= trouble.lose_request
        if roll < trouble.late_request:
            self._later(request, sent, self.dice.uniform(1.0, trouble.latest))
            return await self._nothing(deadline)
        roll -= trouble.late_request
        if roll < trouble.lose_answer:
            self._later(request, sent, 0.0)
            return await self._nothing(deadline)
        roll -= trouble.lose_answer
        if roll < trouble.double_request:
            self._later(request, sent, self.dice.uniform(0.0, trouble.latest))
        elif roll - trouble.double_request < trouble.failing_text:
            return await self._failing_text(request, sent)
        return await self._exchange(request, deadline)

    async def _failing_text(self, request: Request, sent: Sent) -> RawAnswer:
        """Let it be carried out, and answer with HTTP 200 and a text about some failure."""
        self._later(request, sent, 0.0)
        said = self.dice.choice(["internal error", "get node info error: timed out", "task list is busy"])
        return RawAnswer(200, "application/json", json.dumps({"errcode": -1, "message": said}).encode())

    async def _nothing(self, deadline: float) -> RawAnswer:
        await asyncio.sleep(deadline)
        raise DbcError(Reason.OWN_DEADLINE)

    def _later(self, request: Request, sent: Sent, seconds: float) -> None:
        """Let a request arrive after a while, whether or not anybody waits for its answer.

        It is encrypted for the process that the node was when it was sent: a later process cannot read it.
        """
        address = self.client.world.addresses.get(sent.node)
        meant_for = address.host.incarnation if address else 0

        async def arrive() -> None:
            await asyncio.sleep(seconds)
            if address is not None and address.host.incarnation != meant_for:
                return
            try:
                await self.client.handle(request)
            except (ConnectionRefusedError, ConnectionLost):
                return

        task = asyncio.ensure_future(arrive())
        self._afterwards.add(task)
        task.add_done_callback(self._afterwards.discard)

    async def _exchange(self, request: Request, deadline: float) -> RawAnswer:
        # what the client does with a request goes on when we hang up
        handling = asyncio.ensure_future(self.client.handle(request))
        self._afterwards.add(handling)
        handling.add_done_callback(self._done)
        try:
            async with asyncio.timeout(deadline):
                response = await asyncio.shield(handling)
        except TimeoutError:
            raise DbcError(Reason.OWN_DEADLINE) from None
        except ConnectionRefusedError:
            raise DbcError(Reason.UNREACHABLE, "connection refused") from None
        except ConnectionLost:
            raise DbcError(Reason.UNREACHABLE, "connection closed without an answer") from None
        return RawAnswer(response.status, response.content_type, response.body)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._afterwards.discard(task)
        if not task.cancelled():
            task.exception()

    async def aclose(self) -> None:
        """Nothing to close: what is on its way stays on its way."""
