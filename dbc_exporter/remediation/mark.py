"""A small file beside the journal with its latest event: an older copy of the journal is found out by it."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import DecodeError, Struct, ValidationError, json


class Mark(Struct, frozen=True):
    """The number and hash of an event that is certainly in the journal."""

    seq: int
    hash: str


def read(path: Path) -> Mark | None:
    """Return the mark, `None` where there is none yet. Raises `ValueError` for one that is damaged, or `OSError`."""
    try:
        return json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except (DecodeError, ValidationError) as error:
        raise ValueError(str(error)) from None


def write(path: Path, mark: Mark) -> None:
    """Replace the mark whole, and have it on disk. Raises `OSError`."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(json.encode(mark))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
