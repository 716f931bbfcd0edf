"""Puts the process' logging back as it was; commands and `logs.setup` change it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("", "dbc_exporter", "apscheduler", "asyncio", "aiohttp.access", "py.warnings")


@contextmanager
def logging_restored() -> Iterator[None]:
    """Restore levels, handlers and the handling of warnings on the way out."""
    loggers = [logging.getLogger(name) for name in _NAMES]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:] = handlers
