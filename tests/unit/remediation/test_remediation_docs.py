"""The page on remediation says what the code knows: every reason in its words, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.words import WORDS

NOTHING = "\N{EN DASH}"
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "remediation.md").read_text()


def test_every_reason_stands_on_the_page_in_its_own_words() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert {code: words for code, words in rows.items() if code in set(Reason)} == {
        reason.value: words for reason, words in WORDS.items()
    }


def hazards() -> list[list[str]]:
    part = PAGE.split("## Hazards")[1].split("## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_hazard_has_an_answer_a_known_reason_and_a_test_or_says_why_not() -> None:
    assert len(hazards()) >= 30
    for hazard, answer, guard, reasons, tests in hazards():
        assert answer, hazard
        for code in re.findall(r"`(\w+)`", reasons):
            assert code in set(Reason), hazard
        named = re.findall(r"`([\w./*]+)`", tests)
        assert named or (guard == reasons == tests == NOTHING), hazard
        for name in named:
            path = ROOT / name if "/" in name else ROOT / "tests" / "unit" / "remediation" / name
            assert path.exists(), name
