"""The policy: what may be done, to whom, how often, and when never. Strict; without a rule nothing is done.

Times are seconds (or "90s", "5m", "1h"). Percentages are of the watched fleet and round down. Contradictions between
values that are each right by themselves are found by `lint`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, field_validator

from dbc_exporter.config.section import Duration, LabelName, NodeId, Section, wrong
from dbc_exporter.remediation.model import Action, Mode, Sight

_MINUTES_A_DAY = 24 * 60
Percent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]


class Day(StrEnum):
    """Days of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


def _clock_time(value: str) -> str:
    hours, colon, minutes = value.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and len(minutes) == 2):  # noqa: PLR2004 (mm)
        raise wrong('is no time of day; write "01:30", with quotes')
    if int(hours) * 60 + int(minutes) > _MINUTES_A_DAY or int(minutes) >= 60:  # noqa: PLR2004 (minutes)
        raise wrong('is no time of day; the day goes from "00:00" to "24:00"')
    return value


ClockTime = Annotated[str, AfterValidator(_clock_time)]


def _minutes(value: str) -> int:
    hours, _, minutes = value.partition(":")
    return int(hours) * 60 + int(minutes)


class Window(Section):
    """A span of the week. One that ends before it begins goes over midnight and belongs to the day it begins on."""

    name: str = Field(min_length=1, description="name that rules use")
    timezone: str = Field(default="UTC", description="IANA name of the time zone")
    days: tuple[Day, ...] = Field(default=tuple(Day), min_length=1, description="days it begins on")
    begin: ClockTime = Field(description='time of day it begins, such as "01:00"')
    end: ClockTime = Field(description='time of day it ends, such as "05:00"')

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            raise wrong("is no time zone this system knows; write an IANA name such as UTC") from None
        return value

    def holds(self, wall: float) -> bool:
        """Tell whether a moment (Unix time) lies in it."""
        local = datetime.fromtimestamp(wall, UTC).astimezone(ZoneInfo(self.timezone))
        minute, begin, end = local.hour * 60 + local.minute, _minutes(self.begin), _minutes(self.end)
        days, today = list(Day), local.weekday()
        if begin < end:
            return days[today] in self.days and begin <= minute < end
        late = days[today] in self.days and minute >= begin
        return late or (days[today - 1] in self.days and minute < end)


class Match(Section):
    """Which targets. Everything that is given must fit; nothing given fits nobody."""

    ids: tuple[NodeId, ...] = Field(default=(), description="node ids")
    tasks: tuple[str, ...] = Field(default=(), description="VM ids, with * and ?")
    labels: dict[LabelName, str] = Field(default={}, description="labels of the target record, with * and ?")

    def fits(self, sight: Sight) -> bool:
        """Tell whether a subject is meant."""
        if not (self.ids or self.tasks or self.labels):
            return False
        labels = dict(sight.labels)
        return (
            (not self.ids or sight.subject.node_id in self.ids)
            and (not self.tasks or any(fnmatchcase(sight.subject.task_id, one) for one in self.tasks))
            and all(
                name in labels and fnmatchcase(labels[name], pattern) for name, pattern in self.labels.items()
            )
        )


class Rung(Section):
    """One step of a ladder."""

    action: Action = Field(
        description="restart, force_restart or start a VM; power_on or power_reset a server"
    )
    mode: Mode = Field(default=Mode.ACT, description="how far this step may go; the policy's mode caps it")
    evidence: tuple[str, ...] = Field(
        default=(),
        description="names of alerts that must all fire; a hung VM or dead server shows only there",
    )
    witness: str | None = Field(
        default=None, description="alert whose end proves recovery; without one a person must approve"
    )
    attempts: Count = Field(default=1, description="tries in one episode before the next step")
    settle: Duration = Field(default=300.0, description="time the action may take to work")
    stable: Duration = Field(default=300.0, description="time it must stay well to count as recovered")
    windows: tuple[str, ...] = Field(
        default=(), description="names of windows it is confined to; none: always"
    )


class Cooldown(Section):
    """The time between two actions on one subject; grows with each try of an episode."""

    base: Duration = Field(default=900.0, description="after the first action")
    factor: float = Field(default=2.0, ge=1, le=10, description="growth with every further one")
    longest: Duration = Field(default=21_600.0, le=86_400, description="it grows no further")


class Rule(Section):
    """What may be done to some targets."""

    name: str = Field(min_length=1, max_length=60, description="name in logs, pages and `explain`")
    kind: Literal["vm", "server"] = Field(description="VMs on compute nodes, or bare-metal servers")
    match: Match = Field(description="who is meant")
    never: Match = Field(default=Match(), description="who is not, though `match` fits")
    mode: Mode = Field(default=Mode.ACT, description="how far this rule may go; the policy's mode caps it")
    hold: Duration = Field(default=300.0, description="how long a problem must last before anything is done")
    samples: Count = Field(default=2, description="readings in a row that must show the state")
    max_age: Duration = Field(default=900.0, description="oldest reading that still counts when planning")
    cooldown: Cooldown = Field(default=Cooldown(), description="time between two actions on one subject")
    attempts_per_day: Count = Field(default=3, description="actions on one subject in 24 h")
    healthy_period: Duration = Field(
        default=21_600.0,
        le=86_400,
        description="a failure sooner after a recovery continues the same episode",
    )
    node_settle: Duration = Field(
        default=900.0, description="time a node that came back is left alone: DBC restores its VMs itself"
    )
    only_dbc_vms: bool = Field(
        default=False,
        description="you vouch that these hosts run no VM that DBC does not know; it destroys all if one does",
    )
    blocked_by: tuple[str, ...] = Field(
        default=(), description="alerts on the node (a lost GPU …) during which nothing is done to it"
    )
    ladder: tuple[Rung, ...] = Field(min_length=1, description="steps, mildest first")


class Scope(StrEnum):
    """What a budget counts by."""

    FLEET = "fleet"
    CLIENT = "client"
    NODE = "node"
    DOMAIN = "domain"


class Budget(Section):
    """At most so many actions in any span of this length. All budgets hold at once."""

    scope: Scope = Field(description="fleet, client, node, or domain (each value of the label)")
    label: LabelName | None = Field(default=None, description="label of a domain budget, such as site")
    window: Duration = Field(le=86_400, description="length of the sliding span, a day at most")
    most: Count = Field(description="actions in it")
    percent: Percent | None = Field(
        default=None, description="and at most this share of the watched fleet, rounded down"
    )


class Concurrency(Section):
    """Actions under way at once. One per node is fixed."""

    fleet: Count = Field(default=2, description="in all")
    client: Count = Field(default=1, description="through one DBC client")


class Storm(Section):
    """Many subjects bad at once have a common cause, which no restart cures: then nothing is done."""

    bad_percent: Percent = Field(default=15.0, description="share of bad subjects that is a storm")
    bad_least: Count = Field(default=3, description="fewer bad ones are never a storm by share")
    new_count: Count = Field(default=4, description="subjects gone bad within `new_window` that are a storm")
    new_window: Duration = Field(default=300.0, description="see `new_count`")


class SightLimits(Section):
    """How much must be seen before anything is done."""

    known_percent: Percent = Field(
        default=80.0, description="least share of watched targets of which it is known whether they are there"
    )
    shrink_percent: Percent = Field(
        default=20.0, description="share of the targets of the last day that may have left the inventory"
    )
    chain_silent: Count = Field(
        default=3, description="nodes whose signed calls fail for DBC's chain that stop everything"
    )


class BreakerLimits(Section):
    """When remediation stops itself until a person clears it."""

    window: Duration = Field(default=21_600.0, le=86_400, description="what it looks back on")
    least: Count = Field(default=4, description="ended actions before their effect is judged")
    ineffective_percent: Percent = Field(default=50.0, description="share without effect that opens it")
    ambiguous: Count = Field(default=3, description="actions nobody knows the outcome of that open it")


class Limits(Section):
    """Limits for the whole fleet."""

    hold_off: Duration = Field(
        default=300.0,
        description="quiet time after start, clock step, blindness, storm, pause and cleared breaker",
    )
    budgets: tuple[Budget, ...] = Field(
        default=(
            Budget(scope=Scope.FLEET, window=600, most=2),
            Budget(scope=Scope.FLEET, window=3600, most=5),
            Budget(scope=Scope.FLEET, window=86_400, most=20),
            Budget(scope=Scope.NODE, window=3600, most=1),
        ),
        min_length=1,
        description="how often at most",
    )
    concurrency: Concurrency = Field(default=Concurrency(), description="how many at once")
    storm: Storm = Field(default=Storm(), description="when too many are bad")
    sight: SightLimits = Field(default=SightLimits(), description="when too little is seen")
    breaker: BreakerLimits = Field(default=BreakerLimits(), description="when actions do not help")
    approval_ttl: Duration = Field(default=900.0, description="how long a proposal can be approved")
    ambiguous_hold: Duration = Field(
        default=3600.0, description="how long an unclear outcome is inquired into before a person must look"
    )


class AlertSettings(Section):
    """How Alertmanager's word is taken."""

    watchdog: str = Field(default="DbcRemediationWatchdog", description="the alert that always fires")
    max_silence: Duration = Field(default=600.0, description="longest time without word of the watchdog")
    expire: Duration = Field(
        default=14_400.0,
        description="a firing alert not heard of for so long is forgotten; over repeat_interval",
    )
    tombstone: Duration = Field(default=86_400.0, description="how long a resolved alert is remembered")


class Policy(Section):
    """The whole policy."""

    version: Literal["1"] = Field(description="1: the form of this file")
    mode: Mode = Field(default=Mode.DRY_RUN, description="how far remediation may go at all")
    alerts: AlertSettings = Field(default=AlertSettings(), description="how Alertmanager's word is taken")
    limits: Limits = Field(default=Limits(), description="limits for the whole fleet")
    windows: tuple[Window, ...] = Field(default=(), description="maintenance windows, for rules to name")
    rules: tuple[Rule, ...] = Field(default=(), description="what may be done to whom; none: nothing")

    def rules_for(self, sight: Sight) -> tuple[Rule, ...]:
        """Return the rules that mean a subject. More than one is a contradiction, and nothing is done."""
        kind = "vm" if sight.subject.is_vm else "server"
        return tuple(
            rule
            for rule in self.rules
            if rule.kind == kind and rule.match.fits(sight) and not rule.never.fits(sight)
        )
