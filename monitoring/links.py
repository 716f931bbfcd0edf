"""Where alerts point to: runbooks, and dashboards by their uid."""

from __future__ import annotations

from collections.abc import Mapping

RUNBOOKS = "https://github.com/DeepBrainChain/dbc-exporter/blob/main/docs/runbooks"
GRAFANA = "http://localhost:3000"

FLEET = "dbc-fleet"
NODE = "dbc-node"
VM = "dbc-vm"
TRANSFERS = "dbc-transfers"
BARE_METAL = "dbc-bare-metal"
REMEDIATION = "dbc-remediation"
EXPORTER = "dbc-exporter"

VARIABLES: Mapping[str, Mapping[str, str]] = {
    FLEET: {},
    NODE: {"node": "node_id"},
    VM: {"node": "node_id", "vm": "task_id"},
    TRANSFERS: {"node": "node_id"},
    BARE_METAL: {},
    REMEDIATION: {},
    EXPORTER: {},
}
"""Variables of each dashboard (besides `job`, which all have) with the label of an alert that fills each."""


def runbook(base: str, alert: str) -> str:
    """Return the address of an alert's runbook."""
    return f"{base}/{alert}.md"


def dashboard(base: str, uid: str, labels: tuple[str, ...]) -> str:
    """Return the address of a dashboard that shows what the alert is about, as a template of Prometheus."""
    wanted = {"job": "job", **VARIABLES[uid]}
    filled = [
        f"var-{name}={{{{ $labels.{label} | urlquery }}}}"
        for name, label in wanted.items()
        if label in labels
    ]
    return f"{base}/d/{uid}" + (f"?{'&'.join(filled)}" if filled else "")
