"""One example: an answer made and damaged by a seed, shown, and held against the truth."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

from dbc_exporter.dbc.exchange import RawAnswer
from tests.fuzz.damages import DAMAGES, lie
from tests.fuzz.draft import Draft
from tests.fuzz.good import Build, Good, text_of
from tests.fuzz.made import Maker
from tests.fuzz.rewrites import ALONE, REWRITES
from tests.fuzz.stage import Heard
from tests.fuzz.truth import problems
from tests.fuzz.wire import WIRE
from tests.logging_state import logging_restored

Operation = Callable[[Draft], bool]
SHORTEST_SECRET_PART = 12


def examples() -> Iterable[int]:
    """Give the numbers of the examples: `DBC_FUZZ_EXAMPLES` of them, or just `DBC_FUZZ_SEED`."""
    alone = os.environ.get("DBC_FUZZ_SEED")
    return [int(alone)] if alone else range(int(os.environ.get("DBC_FUZZ_EXAMPLES", "1000")))


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear everything that is logged, at the lowest level."""
    heard = Heard()
    with logging_restored():
        logging.getLogger().addHandler(heard)
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("dbc_exporter").setLevel(logging.DEBUG)
        yield heard


def play(name: str, build: Build, number: int, heard: Heard) -> tuple[list[str], str]:
    """Play one example; give what is wrong, and a report to find it again by."""
    random = Random(f"{name}/{number}")
    make = Maker(random)
    good = build(make)
    good.secrets = [*make.secrets, *good.secrets]
    undamaged = {key: RawAnswer(200, "", text_of(node)) for key, node in good.others.items()}
    draft = Draft.of(random, good)
    _spoil(draft)
    raw = draft.raw()
    heard.texts.clear()
    heard.errors.clear()
    try:
        seen = good.show({**undamaged, good.key: raw})
    except Exception as error:  # noqa: BLE001 - any exception is what we are looking for
        return [f"crashed: {error!r}"], _report(name, number, draft, raw)
    wrong = [f"logged an error: {text}" for text in heard.errors]
    wrong += problems(good.truth, seen.rows, draft.damage)
    wrong += _secrets_in([*seen.texts, *heard.texts], good)
    return wrong, _report(name, number, draft, raw)


def _spoil(draft: Draft) -> None:
    chance = draft.random.random()
    if chance < 0.03:
        return
    if chance < 0.30:
        _apply(draft, (*REWRITES, *ALONE), draft.random.randint(1, 4))
    elif chance < 0.38:
        lie(draft)
    elif chance < 0.60:
        _apply(draft, WIRE, 1)
    else:
        _apply(draft, (*DAMAGES, *REWRITES), draft.random.randint(1, 3))
        if draft.random.random() < 0.1:
            _apply(draft, WIRE, 1)


def _apply(draft: Draft, operations: tuple[Operation, ...], times: int) -> None:
    for _ in range(times):
        operation = draft.random.choice(operations)
        if operation(draft):
            draft.note(operation.__name__)


def _secrets_in(texts: list[str], good: Good) -> list[str]:
    shown = "\n".join(texts)
    found = []
    for secret in good.secrets:
        parts = {secret}
        if len(secret) > 2 * SHORTEST_SECRET_PART:
            parts |= {secret[:SHORTEST_SECRET_PART], secret[-SHORTEST_SECRET_PART:]}
        found += [f"shows the secret {secret!r} (as {part!r})" for part in parts if part in shown]
    return found


def _report(name: str, number: int, draft: Draft, raw: RawAnswer) -> str:
    return (
        f"{name}, seed {number} (again: DBC_FUZZ_SEED={number})\n"
        f"  done: {draft.damage.notes}\n  HTTP {raw.status} {raw.content_type!r}: {raw.body[:6000]!r}"
    )


def failures(name: str, build: Build, numbers: Iterable[int], most: int = 3) -> list[str]:
    """Play these examples of an endpoint and report the first that go wrong."""
    reports: list[str] = []
    with listening() as heard:
        for number in numbers:
            wrong, report = play(name, build, number, heard)
            if wrong:
                reports.append("\n  ".join([report, *wrong]))
                if len(reports) >= most:
                    break
    return reports


def undamaged(name: str, build: Build) -> list[str]:
    """Show good answers as they are; give everything that is not as it was made."""
    found = []
    with listening() as heard:
        for number in range(30):
            make = Maker(Random(f"{name}/good/{number}"))
            good = build(make)
            draft = Draft.of(make.random, good)
            answers: Mapping[str, RawAnswer] = {
                key: RawAnswer(200, "", text_of(node)) for key, node in good.others.items()
            }
            seen = good.show({**answers, good.key: draft.raw()})
            found += problems(good.truth, seen.rows, draft.damage) + heard.errors
    return found
