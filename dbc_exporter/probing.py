"""`/probe`: one target's public sources asked now, by the engine's own polls; see docs/decisions/0013-probe.md."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbc_exporter.clock import Clock
from dbc_exporter.config.floors import FLOORS
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.metrics.lines import label, labels, sample
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.sweep import Polled, owner_of
from dbc_exporter.targets import Target


@dataclass(frozen=True, slots=True)
class Probe:
    """How a probe went: why it failed, if it did, and how long it took."""

    reasons: frozenset[str]
    seconds: float


async def probe(poller: Poller, target: Target, clock: Clock, seconds: float) -> Probe:
    """Ask a target's public sources now and wait for them, `seconds` at most; signed ones are left to the sweeps.

    What is under way, or was asked less than its collector's floor ago, is not asked again: probes at the same time
    share one poll. Polls that outlast the probe go on, and what they bring is shown by the next one.
    """
    started = clock.monotonic()
    polls = [
        sweep.poll_now(target, FLOORS[sweep.collector.name][0])
        for sweep in poller.sweeps
        if target.id in sweep.targets and not sweep.collector.authenticated
    ]
    tasks = [poll for poll in polls if isinstance(poll, asyncio.Task)]
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    return Probe(frozenset(_reasons(polls, target, poller.pool)), clock.monotonic() - started)


def probe_lines(probe: Probe, target: Target, store: Store) -> dict[str, list[bytes]]:
    """Return all that is known of a target and how the probe went, as lines by family."""
    me = label("node_id", target.id)
    store.sweep()
    lines = store.lines_of(owner_of(target))
    told = [
        sample("dbc_probe_success", me, not probe.reasons),
        *(
            sample("dbc_probe_failed", labels(node_id=target.id, reason=reason), 1)
            for reason in sorted(probe.reasons)
        ),
        sample("dbc_probe_duration_seconds", me, probe.seconds),
    ]
    for family, _, line in told:
        lines.setdefault(family, []).append(line)
    return lines


def _reasons(
    polls: Sequence[Polled | asyncio.Task[Polled] | None], target: Target, pool: Pool
) -> Iterator[str]:
    if not polls:
        yield "no_source"
    for poll in polls:
        if poll is None:
            yield _nobody(target, pool)
        elif isinstance(poll, Polled):
            yield from filter(None, [poll.failed])
        elif not poll.done() or poll.cancelled():
            yield "busy"
        else:
            yield from filter(None, [poll.result().failed])


def _nobody(target: Target, pool: Pool) -> str:
    there = pool.reachability(target)
    if there.suspect:
        return "suspect"
    return "unlisted" if there.visible is False else "no_client"
