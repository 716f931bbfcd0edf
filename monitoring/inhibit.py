"""What need not be said as well: rules for Alertmanager's `inhibit_rules`.

Client trouble needs none to keep machines' alerts silent: these cannot begin while nobody can look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Rule = dict[str, Any]


def _rule(source: str, target: str, *equal: str) -> Rule:
    return {
        "source_matchers": [f'alertname =~ "{source}"'],
        "target_matchers": [f'alertname =~ "{target}"'],
        "equal": list(equal),
    }


RULES: Sequence[Rule] = (
    _rule(
        "DbcClientDown|DbcClientIsolated|DbcClientWedged|DbcClientAtCeiling|DbcClientTroubled",
        "DbcClientUnansweredGrowing|DbcClientVersionDiffers",
        "job",
        "client",
    ),
    _rule(
        "DbcNodeNotVisible|DbcNodeUnreachable",
        "DbcNode(Slow|CpuShort|MemoryShort|DiskShort|VersionDiffers)|DbcVm.+|DbcTransfer.+",
        "job",
        "node_id",
    ),
    _rule("DbcNodeMemoryShort", "DbcNodeSlow", "job", "node_id"),
    _rule("DbcVmStopped", "DbcVmError", "job", "node_id", "task_id"),
    _rule("DbcRemediationBreakerOpen", "DbcRemediation(Ineffective|AmbiguousOpen)", "job"),
    _rule("DbcExporterSchedulerStuck", "DbcExporter(TargetsStale|FreshnessSlo)|DbcRemediationStuck", "job"),
)
