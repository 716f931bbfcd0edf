"""Randomness that depends on the seed and a name only, never on the order of events."""

from __future__ import annotations

import hashlib
import random


def stable_random(seed: int, *names: str) -> random.Random:
    """Return a generator of its own for each name."""
    return random.Random(_digest(seed, names))


def stable_fraction(seed: int, *names: str) -> float:
    """Return a fixed number in [0, 1) for each name."""
    return _digest(seed, names) / 2**64


def _digest(seed: int, names: tuple[str, ...]) -> int:
    text = "\0".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
