"""Write the chart's values.schema.json: the hand-written part joined with the schemas of settings and thresholds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from helm.settings_schema import definitions
from helm.thresholds_schema import thresholds

HERE = Path(__file__).resolve().parent
CHART = HERE / "dbc-exporter"
SCHEMA = CHART / "values.schema.json"


def text() -> str:
    """Return the whole schema as JSON."""
    schema = yaml.safe_load((HERE / "values.schema.yaml").read_text(encoding="utf-8"))
    schema["definitions"] |= definitions() | {"Thresholds": thresholds()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the schema, or with `--check` tell whether it is up to date."""
    parser = argparse.ArgumentParser(
        prog="python -m helm", description="Write the chart's values.schema.json."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when it is out of date")
    wanted = text()
    if not parser.parse_args(argv).check:
        SCHEMA.write_text(wanted, encoding="utf-8")
        return 0
    if SCHEMA.is_file() and SCHEMA.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{SCHEMA} is out of date; run python -m helm\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
