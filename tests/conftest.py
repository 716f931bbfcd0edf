"""Property tests judge a change by the same examples each time; `make soak` looks for new ones."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("new", derandomize=False)
settings.load_profile(os.environ.get("DBC_EXAMPLES", "same"))
