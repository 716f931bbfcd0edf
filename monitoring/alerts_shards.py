"""Several exporters that share a fleet: whether every shard is there once, and every target watched by one.

What these alerts say is about exporters, wherever they run: an exporter alone is one shard of one, and never meant.
"""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Known, Severity

_SHARD = "job, shard, total_shards"
_TARGET = "job, node_id, shard"
_ALIVE = (Known("job", "dbc_exporter_build_info"),)

SHARDS = (
    Alert(
        "DbcExporterShardMissing",
        Severity.PAGE,
        ids=_SHARD,
        record="shard:dbc_exporter_shard:missing",
        when=f"max by ({_SHARD}) (dbc_exporter_shard) == 0",
        known=_ALIVE,
        page=links.EXPORTER,
        summary="A shard of the exporter is missing: nobody watches its machines.",
        description="No exporter of job {{ $labels.job }} is shard {{ $labels.shard }} of {{ $labels.total_shards }}. "
        "DbcExporterTargetUnpolled names its machines.",
    ),
    Alert(
        "DbcExporterShardDoubled",
        Severity.PAGE,
        ids=_SHARD,
        record="shard:dbc_exporter_shard:doubled",
        when=f'sum by ({_SHARD}) (dbc_exporter_shard{{total_shards!="1"}}) > 1',
        known=_ALIVE,
        page=links.EXPORTER,
        summary="Two exporters are the same shard, and ask the same DBC clients.",
        description="{{ $value }} exporters of job {{ $labels.job }} are shard {{ $labels.shard }} of "
        "{{ $labels.total_shards }}. Together they can use up the sessions of its DBC clients.",
    ),
    Alert(
        "DbcExporterTargetUnpolled",
        Severity.TICKET,
        ids=_TARGET,
        record="node:dbc_target_elsewhere:unpolled",
        when=f"max by ({_TARGET}) (dbc_target_elsewhere) unless on (job, node_id) dbc_target_present",
        known=(Known("job, node_id", "dbc_target_present"), Known("job, node_id", "dbc_target_elsewhere")),
        page=links.EXPORTER,
        summary="No exporter watches a machine.",
        description="Machine {{ $labels.node_id }} belongs to shard {{ $labels.shard }}, which is not there or does not know it.",
        paced="node",
    ),
)
