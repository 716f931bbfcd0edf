"""What must happen once nothing is in the way any more: a guest that hangs is acted on, and nothing stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbc_exporter.remediation.model import Subject, Verdict

if TYPE_CHECKING:
    from tests.simulation.run import Run
    from tests.simulation.town import Guest

DRILLED = 3
DRILL_SECONDS = 1_500.0  # probe, hold and rounds take 300 s; a budget may be spent for some time
SICK_FOR = 4_000.0
UNDER_WAY = 2_000.0  # twice settling and stable time of a power-on, and rounds: then it has an outcome


async def drill(run: Run) -> None:
    """After calm: every intent has ended or is fresh, what is sick is explained, and a fresh hang is acted on."""
    for row in run.oracle.rows(
        "SELECT id, state FROM intent WHERE state != 'ended' AND (state = 'ambiguous' OR created < ?)",
        run.now + run.oracle.offset - UNDER_WAY,
    ):
        run.oracle.wrong("every_intent_ends", f"{row['id']} is {row['state']} after the calm")
    run.people.clear_all(run.now)
    remediation = run.machine.remediation
    if run.data["mode"] != "act" or run.plan.shards > 1:
        return
    if remediation is None or remediation.fault:
        run.oracle.wrong("armed_when_calm", remediation.fault if remediation else run.machine.fault)
        return
    _explained(run)
    hung = _fresh(run)
    for guest in hung:
        assert guest.vm is not None
        guest.vm.hang(heeds_restart=True)
    until = run.now + run.oracle.rules.hold_off + DRILL_SECONDS
    while run.now < until and not _acted(run, hung):
        await run.step()
    if hung and not _acted(run, hung):
        why = {str(run.machine.remediation.decisions.get(Subject(*guest.key))) for guest in hung}  # type: ignore[union-attr]
        run.oracle.wrong("armed_when_calm", f"no drill was acted on: {why}")


def _explained(run: Run) -> None:
    """What has been sick for long has a reason of its own, not "healthy"."""
    assert run.machine.remediation is not None
    decisions = run.machine.remediation.decisions
    for key, since in run.alerting.failing.items():
        decision = decisions.get(Subject(*key))
        left_alone = key[0] == run.town.roles["undesired"]
        if run.now - since < SICK_FOR or left_alone or decision is None:
            continue
        if decision.verdict in (Verdict.HEALTHY, Verdict.UNKNOWN):
            run.oracle.wrong("sick_is_explained", f"{decision.verdict} for {run.now - since:.0f} s")


def _fresh(run: Run) -> list[Guest]:
    """Return guests on machines to which nothing was done today and that no role forbids to touch."""
    touched = {act.machine for act in run.oracle.acts} | set(run.town.roles.values())
    well = [
        guest
        for guest in run.town.guests
        if guest.vm is not None and guest.machine not in touched and run.town.answers(guest)
    ]
    by_machine = {guest.machine: guest for guest in well}
    return sorted(by_machine.values(), key=lambda guest: guest.key)[:DRILLED]


def _acted(run: Run, hung: list[Guest]) -> bool:
    keys = {guest.key for guest in hung}
    return any(act.key in keys for act in run.oracle.acts)
