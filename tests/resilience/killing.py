"""Kills remediation at point after point, lets it live again, and keeps what became of it.

Each lane has a simulated VM and a `killable` of its own; lanes work side by side, as most of the time is waiting.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import msgspec

from tests.e2e.simulated import SimulatedVm, Simulator
from tests.resilience.killable import Life

ROOT = Path(__file__).resolve().parents[2]
LANES = 8
SCENARIO = f"""
version: 1
time_factor: 0.02
latency: {{public: 0.005}}
compute: [{{count: {LANES}, vms: {{count: 1}}, rented_by: {{wallet: renter}}}}]
"""
KILLED = -9
END = "ended is marked"


@dataclass(frozen=True)
class Story:
    """How lives go that are killed: what is lost of the order, and where earlier lives ended.

    One that does not help leaves the VM hung, and the policy allows no second one. What comes before the point at which it `begins`, and after the end of its first intent, other stories tell.
    """

    name: str
    loses: str = ""
    killed_before: tuple[str, ...] = ()
    begins: str = ""
    helps: bool = True


@dataclass(frozen=True)
class Written:
    """An intent as the journal has it."""

    id: str
    state: str
    nonce: str
    burns: int
    result: str | None
    reason: str

    def __str__(self) -> str:
        if self.result is not None:
            return f"{self.result} ({self.reason})"
        return f"{self.state}, asked before" if self.burns else self.state


@dataclass(frozen=True)
class Row:
    """What came of one death. `ends` are the exit codes of all lives but the last, which must have ended by itself."""

    story: Story
    point: str
    ends: tuple[int, ...]
    last_point: str
    found: tuple[Written, ...]
    became: tuple[Written, ...]


@dataclass
class Lane:
    """One VM and the process that lives lives for it."""

    simulator: Simulator
    vm: SimulatedVm
    directory: Path
    homes: list[Path] = field(default_factory=list)
    _process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        self.directory.mkdir()
        self._errors = (self.directory / "stderr").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.resilience.killable"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.communicate()  # it ends with its input
        self._errors.close()

    def enumerate(self, story: Story) -> list[str]:
        """Live a story to its end and return the points of it, each once."""
        home = self._new_home(story)
        for number, point in enumerate(story.killed_before):
            self._live(home, story, number, point)
        self._live_to_the_end(home, story, len(story.killed_before))
        passed = self._points(home, len(story.killed_before))
        first = passed.index(story.begins) + 1 if story.begins else 0
        return [point for point in passed[first : passed.index(END) + 1] if not point.endswith(")")]

    def kill(self, story: Story, point: str) -> Row:
        """Live a story, die at a point of it, and live on."""
        home = self._new_home(story)
        deaths = (*story.killed_before, point)
        ends = [self._live(home, story, number, each) for number, each in enumerate(deaths)]
        found = self._found(home)
        self._live_to_the_end(home, story, len(deaths))
        return Row(
            story,
            point,
            tuple(ends),
            self._points(home, len(deaths) - 1)[-1],
            found,
            intents(home / "journal.db"),
        )

    def _new_home(self, story: Story) -> Path:
        """Let the VM hang, and have a folder for what follows."""
        if self._state()["hung"]:
            self.simulator.recover(self.vm)
        self.simulator.hang(self.vm, "restart" if story.helps else "force_restart")
        self._fires_since = time.time()
        home = self.directory / str(len(self.homes))
        home.mkdir()
        self.homes.append(home)
        return home

    def _state(self) -> dict[str, Any]:
        vms = (vm for node in self.simulator.state()["compute"] for vm in node["vms"])
        found: dict[str, Any] = next(vm for vm in vms if vm["task_id"] == self.vm.task_id)
        return found

    def _live(self, home: Path, story: Story, number: int, kill_at: str) -> int:
        life = Life(
            directory=str(home),
            points=str(home / f"points-{number}"),
            client=self.simulator.client,
            control=f"http://{self.simulator.address}",
            seed=str(self.simulator.credentials / "renter.seed"),
            node_id=self.vm.node_id,
            task_id=self.vm.task_id,
            fires_since=self._fires_since,
            attempts=2 if story.helps else 1,
            kill_at=kill_at,
            loses=story.loses if number == 0 else "",
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(life).decode() + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _live_to_the_end(self, home: Path, story: Story, number: int) -> None:
        end = self._live(home, story, number, "")
        assert end == 0, f"{home}, {story.name}: {(self.directory / 'stderr').read_text()}"

    def _points(self, home: Path, number: int) -> list[str]:
        return (home / f"points-{number}").read_text(encoding="utf-8").splitlines()

    def _found(self, home: Path) -> tuple[Written, ...]:
        """Return what is on disk, without touching it."""
        copy = home / "copy"
        copy.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            if (home / name).exists():
                shutil.copy(home / name, copy)
        return intents(copy / "journal.db")


def intents(journal: Path) -> tuple[Written, ...]:
    """Read a journal's intents, oldest first."""
    query = "SELECT id, state, nonce, burns, result, reason FROM intent ORDER BY created"
    return tuple(Written(*row) for row in _read(journal, query))


def written_about(made: Sequence[Lane]) -> dict[str, tuple[str, ...]]:
    """Read what was written about every order in all journals: kinds of events, oldest first, by nonce."""
    found: dict[str, tuple[str, ...]] = {}
    for journal in (home / "journal.db" for lane in made for home in lane.homes):
        for intent in intents(journal):
            rows = _read(journal, "SELECT kind FROM event WHERE intent = ? ORDER BY seq", intent.id)
            found[intent.nonce] = tuple(kind for (kind,) in rows)
    return found


def _read(journal: Path, query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(journal)) as connection:
        return connection.execute(query, values).fetchall()


def carried_out(simulator: Simulator) -> list[str]:
    """Return the nonces of all restarts that the simulator carried out."""
    writes = json.loads(simulator.get("/ledger").body)["writes"]
    return [write["nonce"] for write in writes if write["action"] == "restart"]


@contextmanager
def lanes(directory: Path) -> Iterator[tuple[Simulator, Sequence[Lane]]]:
    """Run a simulator with a VM for every lane."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(directory / "simulator", SCENARIO))
        vms = simulator.wait(simulator.vms, "VMs")
        made = [Lane(simulator, vm, directory / f"lane-{number}") for number, vm in enumerate(vms)]
        for lane in made:
            stack.enter_context(lane)
        yield simulator, made


def kill_everywhere(stories: Sequence[Story], made: Sequence[Lane]) -> list[Row]:
    """Die at every point of every story."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in made:
        free.put(lane)

    def enumerate_one(story: Story) -> list[str]:
        lane = free.get()
        try:
            return lane.enumerate(story)
        finally:
            free.put(lane)

    def kill_one(job: tuple[Story, str]) -> Row:
        lane = free.get()
        try:
            return lane.kill(*job)
        finally:
            free.put(lane)

    with ThreadPoolExecutor(len(made)) as threads:
        points = list(threads.map(enumerate_one, stories))
        jobs = [(story, point) for story, some in zip(stories, points, strict=True) for point in some]
        return list(threads.map(kill_one, jobs))
