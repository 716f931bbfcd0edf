"""Where the reference material lies: beside the checkout, never inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
CAPTURES = SHARED / "dbc" / "captures"

needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason=f"the recorded exchanges are not beside this checkout ({CAPTURES})"
)
