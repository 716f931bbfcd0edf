"""The oracle sees what it is there for: mistakes planted into the exporter are found within a few hundred examples,
and no call of the API is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from dbc_exporter.dbc import answers_bare_metal, answers_vm, envelope, failures, parse
from dbc_exporter.dbc.inventory import all_calls
from dbc_exporter.facts import BareMetalServer, TaskState
from tests.fuzz.endpoints import ENDPOINTS
from tests.fuzz.made import Maker
from tests.fuzz.play import failures as found

Plant = Callable[[pytest.MonkeyPatch], None]


def _negative_usage(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parse, "_PERCENT", re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)%"))


def _any_unit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parse, "_SIZE", re.compile(r"([0-9.]+)[A-Z]*?([BKMGTP]).*"))


def _unknown_is_closed(patch: pytest.MonkeyPatch) -> None:
    known = answers_vm.task_state
    patch.setattr(answers_vm, "task_state", lambda value: known(value) or TaskState.CLOSED)


def _rows_vanish(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers_vm, "unreadable", lambda _bad: ())


def _last_word_counts(patch: pytest.MonkeyPatch) -> None:
    known = envelope.open_envelope

    def trusting(body: bytes) -> Any:
        opened = known(body)
        return None if opened is None else (*opened[:2], False)

    patch.setattr(envelope, "open_envelope", trusting)


def _plain_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(failures, "quote", lambda text: text[:200])


def _crash(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parse, "count", int)


def _errcode_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(envelope, "_errcode", lambda _value: 0)


def _raw_text(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parse, "text", lambda value: value if isinstance(value, str) else None)


def _unreadable_is_left_out(patch: pytest.MonkeyPatch) -> None:
    def silent(**fields: Any) -> BareMetalServer:
        return BareMetalServer(**{**fields, "power_said": False})

    patch.setattr(answers_bare_metal, "BareMetalServer", silent)


PLANTED: dict[str, tuple[str, Plant]] = {
    "a usage below zero": ("node configuration", _negative_usage),
    "a size of another unit": ("images", _any_unit),
    "a state made up": ("task list", _unknown_is_closed),
    "a row that is not counted": ("task list", _rows_vanish),
    "one of two contradicting fields": ("task details", _last_word_counts),
    "a secret in what the server said": ("session id", _plain_words),
    "an exception": ("node configuration", _crash),
    "a refusal taken for an answer": ("power status", _errcode_ignored),
    "a BMC called dead": ("bare metal server", _unreadable_is_left_out),
    "a control character in a label": ("bare metal list", _raw_text),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, plant = PLANTED[mistake]
    assert found(name, ENDPOINTS[name], range(300), most=1) == []
    plant(monkeypatch)
    assert found(name, ENDPOINTS[name], range(1000), most=1)


def test_every_form_of_every_call_is_fuzzed() -> None:
    asked = {_shape(build(Maker(Random(name))).asked.path) for name, build in ENDPOINTS.items()}
    assert {_shape(form.path) for call in all_calls() for form in call.forms} - asked == set()


def _shape(path: str) -> str:
    """Give a path without its ids."""
    return re.sub(r"[0-9A-Za-z-]{20,}|rack1-server1|before-update|snap\w{6}", "<id>", path)
