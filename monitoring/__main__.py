"""Writes `alerts/` and `dashboards/`: `python -m monitoring [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from monitoring.dashboards import documents
from monitoring.files import alert_files

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"alerts": alert_files, "dashboards": documents}
"""What is written, by folder: functions that return each file's text by its name."""


def written(root: Path) -> dict[Path, str]:
    """Return the text of every file."""
    return {root / folder / name: text for folder, files in FOLDERS.items() for name, text in files().items()}


def differences(root: Path) -> Iterator[str]:
    """Tell what of the folders is not as it would be written."""
    files = written(root)
    for path, text in files.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{path.relative_to(root)} is not up to date"
    for folder in FOLDERS:
        for path in sorted((root / folder).glob("*")):
            if path not in files:
                yield f"{path.relative_to(root)} is not written by anything"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the files, or compare them; 1 when they differ."""
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    if parser.parse_args(arguments).check:
        found = list(differences(root))
        sys.stderr.writelines(f"{problem}; run python -m monitoring\n" for problem in found)
        return 1 if found else 0
    for path, text in written(root).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
