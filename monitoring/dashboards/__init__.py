"""The dashboards, as code: `documents()` are the files of `dashboards/`."""

from __future__ import annotations

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards import bare_metal, fleet, internals, node, remediation, transfers, vm
from monitoring.dashboards.frame import Page

PAGES: tuple[Page, ...] = (
    fleet.PAGE,
    node.PAGE,
    vm.PAGE,
    transfers.PAGE,
    bare_metal.PAGE,
    remediation.PAGE,
    internals.PAGE,
)


def documents() -> dict[str, str]:
    """Return file names and their contents, for Grafana's file provisioning."""
    return {f"{page.uid}.json": document(page) for page in PAGES}


def document(page: Page) -> str:
    """Return one dashboard as JSON."""
    return json.dumps(page.build(), cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
