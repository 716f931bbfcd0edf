"""Writes `alerts/`, `dashboards/` and the chart's rules: `python -m monitoring [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitoring import links, own_numbers
from monitoring.dashboards import documents
from monitoring.files import alert_files, chart_files, rule_files
from monitoring.rules import DEFAULT, Bases

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "alerts": alert_files,
    "dashboards": documents,
    "helm/dbc-exporter/files/alerts": chart_files,
}
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
    """Write the files, or compare them (1 when they differ), or write rules with an operator's own numbers."""
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    own = parser.add_argument_group("rules of your own, written elsewhere")
    own.add_argument("--output", metavar="DIR", type=Path, help="where to; nothing else is written then")
    own.add_argument(
        "--thresholds", metavar="FILE", type=Path, help="a changed copy of alerts/thresholds.yml"
    )
    own.add_argument("--grafana", metavar="URL", default=links.GRAFANA, help="where your dashboards are")
    own.add_argument("--runbooks", metavar="URL", default=links.RUNBOOKS, help="where your runbooks are")
    given = parser.parse_args(arguments)
    if given.check:
        found = list(differences(root))
        sys.stderr.writelines(f"{problem}; run python -m monitoring\n" for problem in found)
        return 1 if found else 0
    if given.output is None:
        _write(written(root))
        return 0
    try:
        numbers = own_numbers.read(given.thresholds) if given.thresholds else DEFAULT
    except (OSError, ValueError) as error:
        parser.error(str(error))
    files = rule_files(numbers, Bases(given.runbooks.rstrip("/"), given.grafana.rstrip("/")))
    _write({given.output / name: text for name, text in files.items()})
    return 0


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
