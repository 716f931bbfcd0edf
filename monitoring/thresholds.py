"""Every number in the alerts that an operator may want to change, in one place.

`python -m monitoring` writes them also to `alerts/thresholds.yml`, where other tools can read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number with its meaning."""

    value: float
    about: str


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a condition must last: so many intervals of what polls it, and at least so many seconds.

    `polls` is 0 where nothing is polled. `why` says what `seconds` waits for.
    """

    polls: int
    seconds: int
    why: str


VALUES: Mapping[str, Threshold] = {
    "client_unanswered_ratio": Threshold(0.25, "share of a client's ceiling of unanswered requests"),
    "node_timeouts": Threshold(4, "requests in an hour that a node left unanswered"),
    "slow_nodes_ratio": Threshold(
        0.25, "share of nodes that, slow at once, have a common cause: DBC's chain, the way"
    ),
    "node_cpu_usage_ratio": Threshold(0.95, "used share of a node's CPU time"),
    "node_memory_usage_ratio": Threshold(0.97, "used share of a node's memory, page cache included"),
    "node_disk_usage_ratio": Threshold(0.92, "used share of a node's data disk"),
    "version_majority_ratio": Threshold(0.5, "share of nodes whose common version is the fleet's"),
    "transfer_progress_ratio": Threshold(0.001, "progress within 15 minutes that counts as moving"),
    "remediation_ineffective": Threshold(1, "actions of one kind without effect in six hours"),
    "remediation_action_seconds": Threshold(7200, "age of an action under way that is too old"),
    "remediation_round_seconds": Threshold(120, "time since the last round of decisions (every 15 s)"),
    "scheduler_silence_seconds": Threshold(60, "time since the scheduler's last heartbeat (every second)"),
    "parse_failures": Threshold(3, "unreadable values of one field in an hour"),
    "stale_intervals": Threshold(3, "intervals after which data of a machine that answers are stale"),
    "freshness_objective_ratio": Threshold(0.99, "share of what is polled that should be fresh"),
    "freshness_burn_rate": Threshold(6, "times faster than the objective allows that freshness is lost"),
}

HOLDS: Mapping[str, Hold] = {
    "DbcClientDown": Hold(4, 120, "a restart of a client takes about a minute"),
    "DbcClientIsolated": Hold(4, 300, "a client that just started finds its peers within some minutes"),
    "DbcClientWedged": Hold(4, 120, "one try to free itself comes after a minute"),
    "DbcClientAtCeiling": Hold(4, 120, "late answers may lower the count"),
    "DbcClientTroubled": Hold(4, 300, "after bad answers a client is left alone for half a minute"),
    "DbcClientUnansweredGrowing": Hold(4, 600, "late answers may lower the count"),
    "DbcClientVersionDiffers": Hold(4, 21600, "an upgrade of a fleet takes some hours"),
    "DbcNodeNotVisible": Hold(4, 60, "another client may still list the node"),
    "DbcNodeUnreachable": Hold(3, 120, "a daemon that restarts is silent for a minute"),
    "DbcNodeSlow": Hold(3, 600, "one bad moment is no habit"),
    "DbcNodeCpuShort": Hold(3, 1800, "the start of a VM or a benchmark takes some minutes"),
    "DbcNodeMemoryShort": Hold(3, 1800, "copying an image fills the page cache for a while"),
    "DbcNodeDiskShort": Hold(3, 300, "temporary files go"),
    "DbcNodeGpusMissing": Hold(3, 300, "a driver that loads late is counted at the daemon's next start"),
    "DbcNodeVersionDiffers": Hold(3, 21600, "an upgrade of a fleet takes some hours"),
    "DbcVmStuckCreating": Hold(2, 1800, "a large image is copied before the VM is there"),
    "DbcVmError": Hold(2, 300, "two readings agree"),
    "DbcVmStopped": Hold(2, 600, "a reboot may pass through this state"),
    "DbcVmListUnparsable": Hold(2, 600, "two readings agree"),
    "DbcTransferStalled": Hold(10, 900, "an image centre may pause; 15 minutes without progress come before"),
    "DbcTransferVanished": Hold(2, 120, "two readings agree"),
    "DbcServerOff": Hold(2, 600, "a power cycle takes some minutes"),
    "DbcServerBmcUnreachable": Hold(2, 900, "a BMC that restarts takes some minutes"),
    "DbcManagerDeaf": Hold(2, 600, "dead BMCs can keep a manager busy for minutes"),
    "DbcRemediationDisarmed": Hold(0, 1800, "after a start, a storm or a pause it arms itself again"),
    "DbcRemediationBreakerOpen": Hold(0, 60, "it stays open until a person closes it"),
    "DbcRemediationAmbiguousOpen": Hold(0, 1800, "asking the node with the same nonce settles most"),
    "DbcRemediationIneffective": Hold(0, 60, "counted over six hours"),
    "DbcRemediationStuck": Hold(0, 60, "eight rounds were missed before"),
    "DbcRemediationActionStuck": Hold(0, 60, "the action's age is the wait"),
    "DbcRemediationQuarantineGrowing": Hold(0, 60, "it stays until a person clears it"),
    "DbcRemediationApprovalWaiting": Hold(0, 0, "a proposal expires"),
    "DbcRemediationInvariantViolated": Hold(0, 0, "one is too many"),
    "DbcExporterAbsent": Hold(0, 300, "an upgrade of the exporter takes some minutes"),
    "DbcExporterShardMissing": Hold(0, 120, "a pod that moves is back in a minute or two"),
    "DbcExporterShardDoubled": Hold(0, 300, "Prometheus keeps the series of a pod that moved for a while"),
    "DbcExporterTargetUnpolled": Hold(
        1, 0, "a restart takes some seconds, and so does the news of a new node"
    ),
    "DbcExporterTargetsStale": Hold(2, 300, "after a pause everything is polled again within an interval"),
    "DbcExporterSchedulerStuck": Hold(0, 60, "its watchdog tries to start it again first"),
    "DbcExporterParseFailures": Hold(0, 60, "counted over an hour"),
    "DbcExporterSeriesBudgetExceeded": Hold(0, 600, "VMs come and go"),
    "DbcExporterConfigReloadFailed": Hold(0, 60, "somebody may just be writing the file"),
    "DbcExporterFleetTooLarge": Hold(0, 1800, "slow answers for a while look the same"),
    "DbcExporterFreshnessSlo": Hold(0, 300, "averaged over half an hour and six hours"),
}
