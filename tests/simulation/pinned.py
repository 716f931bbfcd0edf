"""Seeds that once found something. They are run with all others for good.

What a fix repaired is also a mutant (see `mutants_code`): there the repair is taken back, and a run must notice.
Other plans and alphabets make other runs of a seed, so each line says what was found and not what happens today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.simulation.killers import PLANS
from tests.simulation.run import Plan

PINNED: Mapping[str, Plan] = {
    "the end of an alert was lost while its target was out of the inventory: it fired for ever": Plan(
        seed=13
    ),
    "Prometheus came back, and a hung VM counted as recovered before its alert could fire again": Plan(
        seed=6
    ),
    "words of a manager about something else were taken for a refusal of the BMC": replace(
        PLANS["wire"], seed=18
    ),
    "a subject was acted on in the very round that began with an outcome nobody knows": replace(
        PLANS["lost"], seed=2
    ),
    "the wall clock stepped back, and for an hour a silent chain stopped nothing": replace(
        PLANS["chain and clocks"], seed=4
    ),
}
